import assert from 'node:assert/strict'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { connectDatabase } from './databases.ts'
import { takeSnapshots } from './snapshots.ts'

const lockNotAvailable = '55P03'

describe('the snapshots of a backup', () => {
  it('are taken while no purchase changes, and purchases change again as soon as they are', async () => {
    const stack = await testStack()
    await using open = new AsyncDisposableStack()
    const writer = open.adopt(await connectDatabase(stack, 'purchase_db'), (it) => it.end())
    await writer.query("SET lock_timeout = '50ms'")
    const write = () => writer.query('UPDATE purchases SET updated_at = updated_at WHERE false')
    let refusal = ''

    const snapshots = open.adopt(
      await takeSnapshots(stack, async () => {
        await write().catch((error: { code: string }) => {
          refusal = error.code
        })
      }),
      (it) => it.close(),
    )

    assert.equal(refusal, lockNotAvailable)
    await write()
    assert.equal(new Set(Object.values(snapshots.ids)).size, 6)
    assert.ok(snapshots.lockedMs < 10_000, `${snapshots.lockedMs} ms`)
  })

  it('wait for a transaction that changes a purchase', async () => {
    const stack = await testStack()
    await using open = new AsyncDisposableStack()
    const writer = open.adopt(await connectDatabase(stack, 'purchase_db'), (it) => it.end())
    await writer.query('BEGIN')
    await writer.query('UPDATE purchases SET updated_at = updated_at WHERE false')
    let frozen = false

    const taking = takeSnapshots(stack, () => {
      frozen = true
    })
    await waitFor('the lock to be waited for', async () => {
      const { rows } = await writer.query(
        `SELECT 1 FROM pg_locks
         WHERE mode = 'ExclusiveLock' AND NOT granted AND relation = 'purchases'::regclass`,
      )
      return rows.length > 0
    })
    assert.equal(frozen, false)
    await writer.query('COMMIT')

    open.adopt(await taking, (it) => it.close())
    assert.equal(frozen, true)
  })
})

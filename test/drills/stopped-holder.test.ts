import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createCachedReader } from '../../shared/cache/read-through.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { connectTestRedis, uniqueName } from '../helpers/redis.ts'

type Tea = { id: string; name: string }
const fields = { id: 'string', name: 'string' } as const

describe('a process that is stopped while it holds the lock of a row', function () {
  this.timeout(180_000)

  const resources = new AsyncDisposableStack()
  let holder: ChildProcess | undefined

  after(async () => {
    holder?.kill('SIGKILL')
    await resources.disposeAsync()
  })

  async function createReader(name: string, load: (id: string) => Promise<Tea>) {
    const test = resources.adopt(await connectTestRedis(), (open) => open.close())
    const reader = createCachedReader<Tea>({ ...test, name, fields, load })
    resources.adopt(reader, (open) => open.close())
    return { ...test, ...reader }
  }

  /** Loads the row under its lock. One that says so too late, when the lock has timed out, is replaced by another. */
  const startHolder = (args: string[], isLocked: () => Promise<boolean>) =>
    waitFor('a process that holds the lock', async () => {
      holder?.kill('SIGKILL')
      holder = fork(join(import.meta.dirname, 'lock-holder.ts'), args)
      assert.deepEqual(await once(holder, 'message'), ['loading', undefined])
      return (await isLocked()) && holder
    })

  it('leaves nothing stale when it goes on after the lock has gone', async () => {
    const name = uniqueName()
    const id = randomUUID()
    const other = await createReader(name, async () => ({ id, name: 'new' }))
    const isLocked = async () => (await other.redis.cluster.exists(`{${name}:${id}}:lock`)) === 1
    const stopped = await startHolder([name, id, 'old'], isLocked)

    stopped.kill('SIGSTOP')
    await waitFor('the lock to time out', async () => !(await isLocked()))
    await other.drop(id)
    assert.equal((await other.read(id))?.name, 'new')
    stopped.kill('SIGCONT')
    stopped.send('answer')
    const [answer] = await once(stopped, 'message')
    await once(stopped, 'exit')

    assert.equal(answer, 'old')
    const third = await createReader(name, async () => ({ id, name: 'new' }))
    assert.equal((await third.read(id))?.name, 'new')
  })
})

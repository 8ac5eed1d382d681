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
  this.timeout(60_000)

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

  it('leaves nothing stale when it goes on after the lock has gone', async () => {
    const name = uniqueName()
    const id = randomUUID()
    const other = await createReader(name, async () => ({ id, name: 'new' }))
    holder = fork(join(import.meta.dirname, 'lock-holder.ts'), [name, id, 'old'])
    assert.deepEqual(await once(holder, 'message'), ['loading', undefined])
    const lock = `{${name}:${id}}:lock`
    assert.equal(await other.redis.cluster.exists(lock), 1)

    holder.kill('SIGSTOP')
    await waitFor('the lock to time out', async () => !(await other.redis.cluster.exists(lock)))
    await other.drop(id)
    assert.equal((await other.read(id))?.name, 'new')
    holder.kill('SIGCONT')
    holder.send('answer')
    const [answer] = await once(holder, 'message')
    await once(holder, 'exit')

    assert.equal(answer, 'old')
    const third = await createReader(name, async () => ({ id, name: 'new' }))
    assert.equal((await third.read(id))?.name, 'new')
  })
})

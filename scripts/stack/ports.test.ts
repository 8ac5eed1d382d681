import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { freeOffset, resolvePorts, takenPorts } from './ports.ts'

describe('the ports of a stack', () => {
  it('move by the offset, except those set by name', () => {
    const ports = resolvePorts(100, { KAFKA_PORT: '9999' })

    assert.equal(ports.postgres, 5532)
    assert.equal(ports.kafka, 9999)
  })

  it('are named with their variable when they are taken', async () => {
    const { offset, lock } = await freeOffset()
    const ports = resolvePorts(offset, {})
    const server = createServer().listen(ports.redis + 3, '127.0.0.1')
    await once(server, 'listening')

    assert.deepEqual(await takenPorts(ports), [
      `port ${ports.redis + 3} (redis) is in use: set REDIS_PORT, or STACK_PORT_OFFSET to move all`,
    ])

    server.close()
    lock.release()
  })

  it('are not given to two stacks', async () => {
    const [first, second] = await Promise.all([freeOffset(), freeOffset()])

    const numbers = [first, second].flatMap(({ offset }) => Object.values(resolvePorts(offset, {})))
    assert.equal(new Set(numbers).size, numbers.length)
    first.lock.release()
    second.lock.release()
  })

  it('are not given to stacks of two checkouts either', async () => {
    const { offset, lock } = await freeOffset()
    const here = process.cwd()

    process.chdir('/')
    const other = await freeOffset().finally(() => process.chdir(here))

    assert.notEqual(other.offset, offset)
    lock.release()
    other.lock.release()
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  closedPort,
  connectTestRedis,
  memoryLateIds,
  type TestRedis,
  uniqueName,
} from '../../test/helpers/redis.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { type CuckooFilter, type CuckooOptions, createCuckooFilter } from './filter.ts'

describe('the cuckoo filter', () => {
  let test: TestRedis
  let resources: AsyncDisposableStack

  beforeEach(async () => {
    resources = new AsyncDisposableStack()
    test = resources.adopt(await connectTestRedis(), (open) => open.close())
  })

  afterEach(() => resources.disposeAsync())

  function createFilter(rows: string[], overrides: Partial<CuckooOptions> = {}): CuckooFilter {
    const filter = createCuckooFilter({
      ...test,
      name: uniqueName(),
      capacity: 100_000,
      maintenanceMs: 20,
      lateIds: memoryLateIds(),
      leaseMs: 60_000,
      listIds: async (after, limit) =>
        rows
          .toSorted()
          .filter((id) => after === undefined || id > after)
          .slice(0, limit),
      ...overrides,
    })
    return resources.adopt(filter, (open) => open.close())
  }

  const ready = (filter: CuckooFilter) => waitFor('the filter', () => filter.isReady())

  it('fills itself from the table, over many pages, and knows which ids are absent', async () => {
    const rows = Array.from({ length: 2_500 }, () => randomUUID())
    const filter = createFilter(rows)
    await ready(filter)

    const known = await Promise.all(rows.map((id) => filter.ask(id)))
    const unknown = await Promise.all(rows.map(() => filter.ask(randomUUID())))

    assert.ok(known.every((answer) => answer === 'maybe'))
    assert.ok(unknown.filter((answer) => answer === 'maybe').length < 25)
    assert.ok(unknown.every((answer) => answer !== 'unknown'))
  })

  it('sends its commands to the node that has the keys', async () => {
    const filter = createFilter([])
    await ready(filter)
    let moved = 0
    const send = test.redis.cluster.handleError.bind(test.redis.cluster)
    test.redis.cluster.handleError = (...args) => {
      moved += 1
      return send(...args)
    }

    for (let i = 0; i < 100; i += 1) await filter.ask(randomUUID())

    assert.equal(moved, 0)
  })

  describe('trusts no negative', () => {
    it('before it was filled', async () => {
      const filter = createFilter([], { maintenanceMs: 60_000 })

      assert.equal(await filter.ask(randomUUID()), 'unknown')
    })

    it('while a table cannot be read', async () => {
      const filter = createFilter([], { listIds: () => Promise.reject(new Error('unavailable')) })
      const failed = () => test.count('cache_filter_rebuilds_total', { outcome: 'lost' })
      await waitFor('a rebuild to fail', failed)

      assert.equal(await filter.ask(randomUUID()), 'unknown')
    })

    it('of an epoch of another master, in any process', async () => {
      const name = uniqueName()
      const id = randomUUID()
      const filter = createFilter([], { name, maintenanceMs: 50 })
      await ready(filter)
      const idle = createFilter([], { name, maintenanceMs: 50 })
      await ready(idle)
      await idle.close()
      await filter.close()
      assert.equal(await filter.ask(id), 'absent')

      await test.redis.cluster.set(`{${name}}:ready`, 'the replication id before the failover')

      assert.equal(await filter.ask(id), 'unknown')
      assert.equal(await idle.ask(id), 'unknown')
    })

    it('of a filter that is lost, until it is filled again', async () => {
      const name = uniqueName()
      const id = randomUUID()
      const rows = [id]
      const filter = createFilter(rows, { name })
      await ready(filter)
      await filter.close()

      await test.redis.cluster.del(`{${name}}:filter`)
      assert.equal(await filter.ask(id), 'unknown')
      await filter.publish(randomUUID(), async () => undefined)

      assert.equal(await filter.ask(id), 'unknown')
      const next = createFilter(rows, { name })
      await ready(next)
      assert.equal(await next.ask(id), 'maybe')
      assert.equal(await next.ask(randomUUID()), 'absent')
    })

    it('after a connection was lost, and fills itself again', async () => {
      const filter = createFilter([])
      await ready(filter)
      const rebuilt = () => test.count('cache_filter_rebuilds_total', { outcome: 'ready' })
      const before = await rebuilt()

      test.redis.cluster.emit('-node')

      assert.equal(await filter.ask(randomUUID()), 'unknown')
      await waitFor('another rebuild', async () => (await rebuilt()) > before)
      await ready(filter)
    })
  })

  it('fills itself again after its period', async () => {
    const rebuilt = () => test.count('cache_filter_rebuilds_total', { outcome: 'ready' })
    createFilter([], { periodMs: 50 })

    await waitFor('three fillings', async () => (await rebuilt()) >= 3)
  })

  it('contains an id before its row is committed', async () => {
    const filter = createFilter([])
    await ready(filter)
    const id = randomUUID()

    const during = await filter.publish(id, () => filter.ask(id))

    assert.equal(during, 'maybe')
  })

  it('contains an id whose master was lost while its row was committed', async () => {
    const name = uniqueName()
    const id = randomUUID()
    const filter = createFilter([], { name })
    await ready(filter)

    await filter.publish(id, async () => {
      // What a failover to a replica that lags does, and a rebuild that read the table before the commit.
      await test.redis.cluster.del(`{${name}}:filter`)
      await waitFor(
        'the loss to be seen',
        async () => (await filter.ask(randomUUID())) !== 'absent',
      )
      await ready(filter)
      assert.equal(await filter.ask(id), 'absent')
    })

    assert.equal(await filter.ask(id), 'maybe')
  })

  it('does not become ready by a rebuild that began before an id could not be added', async () => {
    const name = uniqueName()
    const rows: string[] = []
    const reading = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const filter = createFilter(rows, {
      name,
      async listIds() {
        const page = [...rows]
        reading.resolve()
        await go.promise
        return page
      },
    })
    await reading.promise
    const id = randomUUID()

    await test.redis.cluster.del(`{${name}}:filter`)
    await filter.publish(id, async () => void rows.push(id))
    go.resolve()
    await ready(filter)

    assert.equal(await filter.ask(id), 'maybe')
  })

  describe('of a process that is cut off from Redis, while another one is not', () => {
    async function createPair() {
      const port = resources.adopt(await closedPort(), (open) => open.close())
      const cutOff = resources.adopt(await connectTestRedis([port.node]), (open) => open.close())
      const rows: string[] = []
      const both = { name: uniqueName(), lateIds: memoryLateIds(), leaseMs: 2_000 }
      const reader = createFilter(rows, both)
      const writer = createFilter(rows, { ...both, ...cutOff })
      await ready(reader)
      return { rows, reader, writer }
    }

    it('no id is absent for the other, while its row is written and ever after', async () => {
      const { rows, reader, writer } = await createPair()
      const id = randomUUID()
      const answers = new Set<string>()

      await writer.publish(id, async () => {
        answers.add(await reader.ask(id))
        rows.push(id)
        answers.add(await reader.ask(id))
      })
      const watchUntil = performance.now() + 300
      while (performance.now() < watchUntil) answers.add(await reader.ask(id))

      assert.ok(!answers.has('absent'))
    })

    it('the other adds the id for it, and is trusted again', async () => {
      const { rows, reader, writer } = await createPair()
      const id = randomUUID()
      await writer.publish(id, async () => void rows.push(id))

      await ready(reader)

      assert.equal(await reader.ask(id), 'maybe')
      assert.equal(await reader.ask(randomUUID()), 'absent')
    })
  })

  it('trusts no negative while it cannot read late ids', async () => {
    const late = memoryLateIds()
    let down = false
    const list: typeof late.list = async (...asked) => {
      if (down) throw new Error('the database is unavailable')
      return late.list(...asked)
    }
    const filter = createFilter([], { lateIds: { ...late, list }, leaseMs: 300 })
    await ready(filter)
    down = true

    await waitFor('invalidate', async () => (await filter.ask(randomUUID())) === 'unknown')
    down = false
    await ready(filter)
  })

  it('finds what was added while it was unavailable, as soon as it is back', async () => {
    const port = resources.adopt(await closedPort(), (open) => open.close())
    const late = resources.adopt(await connectTestRedis([port.node]), (open) => open.close())
    const rows: string[] = []
    const id = randomUUID()
    const filter = createFilter(rows, { ...late, leaseMs: 2_000 })

    await filter.publish(id, async () => void rows.push(id))
    assert.equal(await filter.ask(id), 'unknown')
    port.open()
    await ready(filter)

    assert.equal(await filter.ask(id), 'maybe')
    assert.equal(await filter.ask(randomUUID()), 'absent')
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  closedPort,
  connectTestRedis,
  memoryLateIds,
  type TestRedis,
  uniqueName,
} from '../../test/helpers/redis.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { createCuckooFilter } from './filter.ts'
import { type CachedReaderOptions, createCachedReader } from './read-through.ts'

type Tea = { id: string; name: string; price: number }
const fields = { id: 'string', name: 'string', price: 'number' } as const

describe('the cached reader', () => {
  let resources: AsyncDisposableStack
  let name: string
  /** The database. */
  let rows: Map<string, Tea>
  let loads: number
  /** As long as a query takes. */
  let loadMs: number

  beforeEach(() => {
    resources = new AsyncDisposableStack()
    name = uniqueName()
    rows = new Map()
    loads = 0
    loadMs = 5
  })

  afterEach(() => resources.disposeAsync())

  /** One process: its own memory and connections. */
  async function createProcess(
    overrides: Partial<CachedReaderOptions<Tea>> = {},
    nodes?: string[],
    deadlineMs?: number,
  ) {
    const test = resources.adopt(await connectTestRedis(nodes, deadlineMs), (open) => open.close())
    const reader = createCachedReader<Tea>({
      ...test,
      name,
      fields,
      async load(id) {
        loads += 1
        const row = rows.get(id)
        await sleep(loadMs)
        return row
      },
      ...overrides,
    })
    resources.adopt(reader, (open) => open.close())
    return { ...test, ...reader, test }
  }

  function addTea(): Tea {
    const tea = { id: randomUUID(), name: 'Trà xanh – "hảo hạng"\n🍵', price: 2 ** 52 + 1 }
    rows.set(tea.id, tea)
    return tea
  }

  async function filterOf(test: TestRedis) {
    const filter = createCuckooFilter({
      ...test,
      name,
      maintenanceMs: 20,
      // For machines that are busy with tests: a look that is late is no answer to the question here.
      leaseMs: 30_000,
      lateIds: memoryLateIds(),
      listIds: async (after = '', limit) =>
        [...rows.keys()]
          .toSorted()
          .filter((id) => id > after)
          .slice(0, limit),
    })
    resources.adopt(filter, (open) => open.close())
    await waitFor('the filter', () => filter.isReady())
    return filter
  }

  it('answers from the database, then from Redis, then from memory', async () => {
    const tea = addTea()
    const [one, other] = [await createProcess(), await createProcess({ memoryMs: 60_000 })]

    const answers = [await one.read(tea.id), await other.read(tea.id), await other.read(tea.id)]

    assert.deepEqual(answers, [tea, tea, tea])
    assert.equal(loads, 1)
    assert.equal(await one.count('cache_reads_total', { layer: 'database' }), 1)
    assert.equal(await other.count('cache_reads_total', { layer: 'redis' }), 1)
    assert.equal(await other.count('cache_reads_total', { layer: 'memory' }), 1)
  })

  it('treats a hash without its marker as a miss', async () => {
    const tea = addTea()
    const one = await createProcess()
    await one.redis.cluster.hset(`${name}:${tea.id}`, { name: 'half written' })

    assert.deepEqual(await one.read(tea.id), tea)
  })

  it('treats an expired entity as a miss', async () => {
    const tea = addTea()
    const [one, other] = [await createProcess({ ttlMs: 1 }), await createProcess()]
    await one.read(tea.id)
    await one.redis.cluster.persist(`${name}:${tea.id}`)
    await sleep(5)

    await other.read(tea.id)

    assert.equal(loads, 2)
  })

  it('expires entities after about their time', async () => {
    const one = await createProcess({ ttlMs: 1_000_000 })
    const teas = Array.from({ length: 20 }, addTea)
    await Promise.all(teas.map(({ id }) => one.read(id)))

    const left = await Promise.all(teas.map(({ id }) => one.redis.cluster.ttl(`${name}:${id}`)))

    assert.ok(left.every((seconds) => seconds >= 880 && seconds <= 1_100))
    assert.ok(new Set(left).size > 3)
  })

  it('lets fewer than 1 % of 10,000 ids that do not exist reach the database', async () => {
    const one = await createProcess()
    for (let i = 0; i < 1_000; i += 1) addTea()
    const filter = await filterOf(one.test)
    const reader = await createProcess({ filter })
    const missing = Array.from({ length: 10_000 }, () => randomUUID())

    for (let i = 0; i < missing.length; i += 500) {
      const answers = await Promise.all(missing.slice(i, i + 500).map(reader.read))
      assert.ok(answers.every((answer) => answer === undefined))
    }

    assert.ok(loads < 100, `${loads} loads`)
    assert.equal(await reader.count('cache_filter_answers_total', { answer: 'unknown' }), 0)
  })

  it('loads a cold row about once for 1,000 readers in three processes', async () => {
    loadMs = 30
    const tea = addTea()
    const processes = await Promise.all([createProcess(), createProcess(), createProcess()])

    const reads = Array.from({ length: 1_000 }, (_, i) => processes[i % 3]?.read(tea.id))

    for (const answer of await Promise.all(reads)) assert.deepEqual(answer, tea)
    assert.ok(loads <= 3, `${loads} loads`)
  })

  it('loads a cold row once for readers of many processes that come one after another', async () => {
    loadMs = 60
    const tea = addTea()
    const patient = () => createProcess({ lockWaitMs: 30_000 })
    const processes = await Promise.all(Array.from({ length: 6 }, patient))

    await Promise.all(processes.map(({ read }, i) => sleep(i * 5).then(() => read(tea.id))))

    assert.equal(loads, 1)
  })

  it('continues when the holder of the lock has died', async () => {
    const tea = addTea()
    const one = await createProcess()
    await one.redis.cluster.set(`{${name}:${tea.id}}:lock`, 'a dead one', 'PX', 60_000)
    const started = performance.now()

    assert.deepEqual(await one.read(tea.id), tea)
    // Long before the lock expires.
    assert.ok(performance.now() - started < 20_000)
    assert.equal(await one.count('cache_lock_waits_total', { outcome: 'gave_up' }), 1)
  })

  it('shows an update at once, in this process and from Redis', async () => {
    const tea = addTea()
    const [one, other] = [await createProcess(), await createProcess()]
    await one.read(tea.id)
    const updated = { ...tea, name: 'Black tea' }
    rows.set(tea.id, updated)

    await one.drop(tea.id)

    assert.deepEqual(await one.read(tea.id), updated)
    assert.deepEqual(await other.read(tea.id), updated)
  })

  it('soon shows an update to processes that have the old row in memory', async () => {
    const tea = addTea()
    const [one, other] = [await createProcess(), await createProcess({ memoryMs: 50 })]
    await other.read(tea.id)
    rows.set(tea.id, { ...tea, name: 'Black tea' })

    await one.drop(tea.id)

    await waitFor('the update', async () => (await other.read(tea.id))?.name === 'Black tea')
  })

  it('does not cache a row that was loaded before an update and stored after it', async () => {
    loadMs = 100
    const tea = addTea()
    const [one, other] = [await createProcess(), await createProcess()]
    const stale = one.read(tea.id)
    await waitFor('the load', () => loads === 1)
    const updated = { ...tea, name: 'Black tea' }
    rows.set(tea.id, updated)

    await other.drop(tea.id)

    assert.deepEqual(await stale, tea)
    assert.deepEqual(await other.read(tea.id), updated)
  })

  it('caches nothing for a row that does not exist', async () => {
    const one = await createProcess()
    const id = randomUUID()
    assert.equal(await one.read(id), undefined)
    rows.set(id, { id, name: 'Late', price: 1 })

    assert.equal((await one.read(id))?.name, 'Late')
  })

  it('fails when the database fails, and reads again', async () => {
    const tea = addTea()
    let down = true
    const one = await createProcess({
      load: async (id) => {
        if (down) throw new Error('the database is unavailable')
        return rows.get(id)
      },
    })
    await assert.rejects(one.read(tea.id), /database is unavailable/)
    down = false

    assert.deepEqual(await one.read(tea.id), tea)
  })

  describe('without Redis', () => {
    it('answers from the database, one load at a time, and recovers', async () => {
      const port = resources.adopt(await closedPort(), (open) => open.close())
      const tea = addTea()
      const one = await createProcess({ memoryMs: 1 }, [port.node])

      const answers = await Promise.all(Array.from({ length: 200 }, () => one.read(tea.id)))
      assert.ok(answers.every((answer) => answer?.name === tea.name))
      assert.equal(loads, 1)
      assert.equal(await one.read(randomUUID()), undefined)

      port.open()
      await waitFor('Redis to answer', async () => {
        await one.read(tea.id)
        return one.count('cache_reads_total', { layer: 'redis' })
      })
    })

    it('waits once for a Redis that hangs, and then not at all', async () => {
      const one = await createProcess({ memoryMs: 1 }, undefined, 150)
      const teas = Array.from({ length: 30 }, addTea)
      let asked = 0
      const hang = () => {
        asked += 1
        return new Promise(() => undefined)
      }
      one.redis.cluster.set = hang as never
      one.redis.entities.client = () => ({ hGetAll: hang }) as never
      await one.read(teas[0]?.id ?? '')
      assert.equal(asked, 2)
      const started = performance.now()
      for (const { id } of teas) assert.ok(await one.read(id))

      // Each of the two circuits lets one use pass in half a second, to try whether Redis is back.
      const tries = 2 * (1 + (performance.now() - started) / 500)
      assert.ok(asked - 2 <= tries, `${asked - 2} uses, ${tries} tries`)
    })

    it('drops later what it could not drop at once, and reads nothing from Redis until then', async () => {
      const tea = addTea()
      const [one, other] = [await createProcess({ memoryMs: 1 }), await createProcess()]
      await one.read(tea.id)
      const del = one.redis.cluster.del
      one.redis.cluster.del = (() => Promise.reject(new Error('down'))) as never
      const updated = { ...tea, name: 'Black tea' }
      rows.set(tea.id, updated)

      await one.drop(tea.id)
      assert.deepEqual(await one.read(tea.id), updated)
      one.redis.cluster.del = del

      await waitFor(
        'the drop',
        async () => !(await other.redis.cluster.exists(`${name}:${tea.id}`)),
      )
      assert.deepEqual(await other.read(tea.id), updated)
    })
  })
})

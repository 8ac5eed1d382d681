import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { inParallel } from '../../bench/in-parallel.ts'
import { type Customer, registerCustomer } from '../../scripts/stack/shop-client.ts'
import { type OwnStack, startStack } from '../../scripts/stack/start.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Category, Product } from '../../shared/contracts/product.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { startReplica } from '../helpers/service-process.ts'

const filterKey = '{product}:filter'
const redisNames = [1, 2, 3, 4, 5, 6].map((index) => `redis-${index}`)

describe('reading products while Redis breaks', function () {
  this.timeout(420_000)

  const resources = new AsyncDisposableStack()
  const known: Product[] = []
  let stack: OwnStack
  /** Every write asks account for the session. */
  let seller: Customer
  let categoryId: string
  /** Two replicas: what one adds, the other one must find. */
  let replicas: string[]

  before(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'saga-redis-'))
    resources.defer(() => rm(dataDir, { recursive: true, force: true }))
    stack = await startStack({ dataDir, portOffset: 'free', services: ['account', 'product'] })
    resources.defer(() => stack.stop())
    seller = await registerCustomer(stack.urls.api)
    const other = startReplica('product', stack)
    resources.defer(() => other.close())
    replicas = [stack.ports.product, await other.port()].map((port) => `http://127.0.0.1:${port}`)
    categoryId = (await post<Category>(0, '/categories', { name: 'Tea', description: 'Leaves' })).id
    for (let i = 0; i < 30; i += 1) known.push(await addProduct(i % 2))
    await filtersAreTrusted()
  })

  after(() => resources.disposeAsync())

  /** Comes again, under its key, when account was too busy to say whose token this is. */
  async function post<T>(replica: number, path: string, body: object): Promise<T> {
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${seller.token}`,
      'idempotency-key': newId(),
    }
    const response = await waitFor(`an answer to POST ${path}`, async () => {
      const answer = await fetch(`${replicas[replica]}/api/v1${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
      if (answer.status !== 503) return answer
      await answer.body?.cancel()
      return undefined
    })
    assert.equal(response.status, 201)
    return (await response.json()) as T
  }

  const addProduct = (replica: number) =>
    post<Product>(replica, '/products', {
      category_id: categoryId,
      name: `Tea ${newId()}`,
      description: 'From the hills',
      brand_name: 'Hill',
      price: 125,
      inventory: 10,
    })

  const read = (replica: number, id: string) => fetch(`${replicas[replica]}/api/v1/products/${id}`)

  async function measure(replica: number, line: RegExp): Promise<number> {
    const text = await (await fetch(`${replicas[replica]}/metrics`)).text()
    const values = text.split('\n').filter((one) => line.test(one))
    return values.reduce((sum, one) => sum + Number(one.split(' ').at(-1)), 0)
  }

  const absent = /^cache_filter_answers_total\{.*filter="product",answer="absent"/
  const fromRedis = /^cache_reads_total\{.*cache="product",layer="redis"/

  /** Until both replicas answer 404 from the filter, and products from Redis. */
  const filtersAreTrusted = () =>
    waitFor(
      'the filters to be trusted and the hashes to be used',
      async () => {
        for (const replica of [0, 1]) {
          const before = [
            await measure(replica, absent),
            await measure(replica, fromRedis),
          ] as const
          await read(replica, newId())
          // Few at once: they must not be what the service has no room for.
          await inParallel([...known], 16, ({ id }) => read(replica, id))
          if ((await measure(replica, absent)) <= before[0]) return false
          if ((await measure(replica, fromRedis)) <= before[1]) return false
        }
        return true
      },
      120_000,
    )

  /** Reads and adds at both replicas until `done`, and tells every answer that is not right. */
  async function readWhile(work: () => Promise<void>): Promise<{ wrong: string[]; reads: number }> {
    const wrong: string[] = []
    let reads = 0
    let running = true

    async function expectProduct(replica: number, product: Product) {
      reads += 1
      const response = await read(replica, product.id)
      const body = response.status === 200 ? await response.json() : await response.text()
      try {
        assert.deepEqual(body, product)
      } catch {
        wrong.push(`${product.id}: ${response.status} ${JSON.stringify(body)}`)
      }
    }
    async function expectNothing(replica: number) {
      reads += 1
      const { status } = await read(replica, newId())
      if (status !== 404) wrong.push(`an unknown id: ${status}`)
    }
    async function readOn(replica: number) {
      for (let i = 0; running; i += 1) {
        const product = known[i % known.length]
        if (product) await expectProduct(replica, product)
        await expectNothing(replica)
      }
    }
    async function addOn(replica: number) {
      while (running) {
        const product = await addProduct(replica)
        await Promise.all([expectProduct(1 - replica, product), expectProduct(replica, product)])
        known.push(product)
        await sleep(50)
      }
    }
    const loops = [readOn(0), readOn(1), addOn(0), addOn(1)]
    try {
      await work()
    } finally {
      running = false
    }
    await Promise.all(loops)
    return { wrong, reads }
  }

  async function masterOf(key: string): Promise<string> {
    const nodes = stack.urls.redisNodes.map((node) => ({
      host: '127.0.0.1',
      port: Number(node.split(':')[1]),
    }))
    const cluster = new Cluster(nodes, { slotsRefreshTimeout: 2_000 })
    cluster.on('error', () => undefined)
    try {
      const slot = await cluster.cluster('KEYSLOT', key)
      const address = cluster.slots[slot]?.[0] ?? ''
      const name = redisNames[stack.urls.redisNodes.indexOf(address)]
      assert.ok(name, `${key} has no master`)
      return name
    } finally {
      cluster.disconnect()
    }
  }

  const addressOf = (name: string) => stack.urls.redisNodes[redisNames.indexOf(name)] ?? ''

  it('answers right when the master of the filter is killed and comes back', async () => {
    const { wrong, reads } = await readWhile(async () => {
      await stack.signal(await masterOf(filterKey), 'SIGKILL')
      await sleep(1_000)
      await stack.ensure()
      await filtersAreTrusted()
    })

    assert.deepEqual(wrong, [])
    assert.ok(reads > 100, `${reads} reads`)
  })

  /** Adds a product that the master of the filter knows and its replica does not, and kills the master. */
  async function addAndLose(master: string): Promise<void> {
    const [host = '', port] = addressOf(master).split(':')
    const node = new Redis(Number(port), host)
    try {
      await node.client('KILL', 'TYPE', 'REPLICA')
      known.push(await addProduct(0))
      await stack.signal(master, 'SIGKILL')
      await stack.stopProcess(master)
    } finally {
      node.disconnect()
    }
  }

  it('answers right when a replica that missed a product takes over', async () => {
    const master = await masterOf(filterKey)

    const { wrong } = await readWhile(async () => {
      await addAndLose(master)
      await waitFor('the failover', async () => (await masterOf(filterKey)) !== master, 120_000)
      await filtersAreTrusted()
    })

    assert.deepEqual(wrong, [])
    await stack.startProcess(master)
  })

  it('answers right when all of Redis goes and comes back', async () => {
    const { wrong } = await readWhile(async () => {
      await Promise.all(redisNames.map((name) => stack.stopProcess(name)))
      const before = known.length
      await waitFor('products to be added without Redis', () => known.length > before + 10)
      await Promise.all(redisNames.map((name) => stack.startProcess(name)))
      await filtersAreTrusted()
    })

    assert.deepEqual(wrong, [])
  })
})

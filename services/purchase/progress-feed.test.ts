import assert from 'node:assert/strict'
import { pino } from 'pino'
import { waitFor } from '../../scripts/wait-for.ts'
import { createAuthentication } from '../../shared/auth.ts'
import { type CommandName, commands } from '../../shared/contracts/commands.ts'
import type { TerminalStatus } from '../../shared/contracts/events.ts'
import { purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { startHttpServer } from '../../shared/http.ts'
import { newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import { closedDoor, connectTestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createHandlers } from './http.ts'
import { createProgressFeed } from './progress-feed.ts'
import { connectRepository, type Repository } from './repository.ts'
import { createPurchaseService } from './service.ts'

const away = ['127.0.0.1:1']
const streams = { max: 4, deadlineMs: 60_000 }

type Told = { id: number; event: string; data: { name?: string; status?: string } }

describe('the progress of a purchase, live', () => {
  let resources: AsyncDisposableStack
  let database: TestDatabase
  let repository: Repository

  before(async () => {
    database = await createTestDatabase('purchase')
    repository = await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 })
  })

  after(async () => {
    await repository.close()
    await database.close()
  })

  beforeEach(() => {
    resources = new AsyncDisposableStack()
  })

  afterEach(() => resources.disposeAsync())

  /** A replica of the service; those of one prefix share their keys. */
  async function createReplica({
    nodes,
    prefix = uniqueName(),
    limits = streams,
  }: {
    nodes?: string[]
    prefix?: string
    limits?: typeof streams
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes), (open) => open.close())
    let queries = 0
    const counting = {
      findMany(ids: string[]) {
        queries += 1
        return repository.findMany(ids)
      },
    }
    const feed = resources.adopt(
      createProgressFeed({ ...test, repository: counting, prefix }),
      (open) => open.close(),
    )
    const service = createPurchaseService({
      repository,
      feed,
      accounts: {} as never,
      products: {} as never,
      sagas: {} as never,
      overdueMs: 300_000,
      publish: async () => undefined,
      currencyCode: 'VND',
      requireVerifiedEmail: false,
      logger: pino({ level: 'silent' }),
    })
    const http = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('purchase'),
      health: {},
      streams: limits,
      routes: purchaseRoutes,
      handlers: createHandlers(service),
      authenticate: createAuthentication(testTokens.config),
    })
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= http.close()
      return closing
    }
    resources.defer(close)
    const url = `http://127.0.0.1:${http.port}/api/v1/purchases`
    return { ...service, test, prefix, url, close, queries: () => queries }
  }

  type Replica = Awaited<ReturnType<typeof createReplica>>

  async function accept() {
    const accepted = buildPurchase()
    await repository.insert([{ accepted, idempotencyKey: null, bodyHash: '' }])
    return { id: accepted.purchase_id, customerId: accepted.customer_id }
  }

  type Accepted = Awaited<ReturnType<typeof accept>>

  const step = (replica: Replica, { id }: Accepted, command: CommandName) =>
    replica.addProgress({
      purchaseId: id,
      sequence: commands[command].sequence,
      name: commands[command].step,
      outcome: 'done',
      reason: null,
      at: new Date(),
    })

  const end = (
    replica: Replica,
    { id, customerId }: Accepted,
    status: TerminalStatus = 'COMPLETED',
    reason: string | null = null,
    failed_step: string | null = null,
  ) => replica.end({ purchase_id: id, customer_id: customerId, status, reason, failed_step })

  /** Listens as a browser would; `told` grows. */
  async function listen(
    { url }: Replica,
    { id, customerId }: Accepted,
    lastEventId?: number | string,
  ) {
    const leaving = new AbortController()
    resources.defer(() => leaving.abort())
    const response = await fetch(`${url}/${id}/events`, {
      signal: leaving.signal,
      headers: {
        authorization: `Bearer ${testTokens.tokenFor(customerId)}`,
        ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
      },
    })
    const told: Told[] = []
    async function read() {
      let text = ''
      for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += piece
        const whole = text.split('\n\n')
        text = whole.pop() ?? ''
        for (const one of whole.filter((lines) => !lines.startsWith(':'))) {
          const [, number, event = '', data = ''] =
            /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(one) ?? []
          told.push({ id: Number(number), event, data: JSON.parse(data) })
        }
      }
    }
    const reading = response.status === 200 ? read().catch(() => undefined) : undefined
    return {
      response,
      told,
      ids: () => told.map((event) => event.id),
      leave: () => leaving.abort(),
      /** That the server ends it, soon. */
      ended: () => reading,
    }
  }

  /** Somebody watches a purchase of their own in another replica. */
  async function watchElsewhere({ prefix, test }: Replica): Promise<void> {
    await listen(await createReplica({ prefix }), await accept())
    await waitFor('the others to know', () =>
      test.redis.cluster.exists(`${prefix}progress:watched`),
    )
  }

  const streamKey = ({ prefix }: Replica, { id }: Accepted) => `${prefix}progress:{${id}}:stream`
  const hashKey = ({ prefix }: Replica, { id }: Accepted) => `${prefix}progress:{${id}}`

  it('tells each step as it happens, whichever replica stored it, and then the end', async () => {
    const prefix = uniqueName()
    const [writer, reader] = [await createReplica({ prefix }), await createReplica({ prefix })]
    const purchase = await accept()
    await step(writer, purchase, 'reserveStock')
    const { response, told, ids, ended } = await listen(reader, purchase)
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    await waitFor('the first step', () => ids().length === 1)

    await step(writer, purchase, 'createOrder')
    await step(writer, purchase, 'createOrder')
    await step(writer, purchase, 'takePayment')
    await waitFor('the steps', () => ids().length === 3)
    await end(writer, purchase)
    await ended()

    assert.deepEqual(ids(), [10, 20, 30, 1_000])
    assert.deepEqual(
      told.map(({ event, data }) => [event, data.name ?? data.status]),
      [
        ['step', 'reserve-stock'],
        ['step', 'create-order'],
        ['step', 'take-payment'],
        ['end', 'COMPLETED'],
      ],
    )
    assert.deepEqual(told[3]?.data, await reader.getOwn(purchase.customerId, purchase.id))
  })

  it('goes on behind the last event that the client has, and is over behind the end', async () => {
    const replica = await createReplica()
    const purchase = await accept()
    for (const command of ['reserveStock', 'createOrder', 'takePayment'] as const) {
      await step(replica, purchase, command)
    }
    await end(replica, purchase)

    const late = await listen(replica, purchase, 20)
    await late.ended()

    assert.deepEqual(late.ids(), [30, 1_000])
    assert.equal((await listen(replica, purchase, 1_000)).response.status, 204)
    assert.equal((await listen(replica, purchase, 'x')).response.status, 400)
  })

  it('tells a step that is known only after later ones before the end', async () => {
    const replica = await createReplica()
    const purchase = await accept()
    const { ids, ended } = await listen(replica, purchase)
    await step(replica, purchase, 'reserveStock')
    await step(replica, purchase, 'refundPayment')
    await waitFor('the undo', () => ids().includes(40))

    await end(replica, purchase, 'REJECTED', 'timeout', 'take-payment')
    await ended()

    assert.deepEqual(ids(), [10, 40, 30, 1_000])
  })

  it('tells the same without Redis', async () => {
    const [writer, reader] = [
      await createReplica({ nodes: away }),
      await createReplica({ nodes: away }),
    ]
    const purchase = await accept()
    const { ids, ended } = await listen(reader, purchase)

    await step(writer, purchase, 'reserveStock')
    await end(writer, purchase)
    await ended()

    assert.deepEqual(ids(), [10, 1_000])
  })

  it('tells the same when Redis loses everything in between', async () => {
    const replica = await createReplica()
    const purchase = await accept()
    await step(replica, purchase, 'reserveStock')
    const early = await listen(replica, purchase)
    await waitFor('the step', () => early.ids().length === 1)
    const lose = async () => {
      for (const key of [streamKey, hashKey]) {
        await replica.test.redis.cluster.del(key(replica, purchase))
      }
    }
    await lose()

    // As another replica that was cut off stores it.
    const stored = { purchaseId: purchase.id, sequence: 20, name: 'create-order' }
    await repository.addProgress([{ ...stored, outcome: 'done', reason: null, at: new Date() }])
    await waitFor('what Redis was not told', () => early.ids().length === 2)
    await lose()
    const late = await listen(replica, purchase)
    await waitFor('the steps from the database', () => late.ids().length === 2)

    await waitFor('the keys to be there again', async () => {
      const { cluster } = replica.test.redis
      const keys = [streamKey, hashKey].map((key) => key(replica, purchase))
      return (await Promise.all(keys.map((key) => cluster.exists(key)))).every((n) => n === 1)
    })
  })

  it('goes to Redis only while somebody watches, be it in another replica', async () => {
    const replica = await createReplica()
    const { cluster } = replica.test.redis
    const [unwatched, watched] = [await accept(), await accept()]
    await step(replica, unwatched, 'reserveStock')
    await watchElsewhere(replica)
    await step(replica, watched, 'reserveStock')

    await waitFor('the step that is carried', async () => {
      await step(replica, watched, 'createOrder')
      return cluster.exists(streamKey(replica, watched))
    })
    assert.equal(await cluster.exists(streamKey(replica, unwatched)), 0)
  })

  it('keeps hash and stream on one node, for a time, with each event once', async () => {
    const replica = await createReplica()
    const { cluster } = replica.test.redis
    await watchElsewhere(replica)
    const purchase = await accept()
    for (const command of ['reserveStock', 'reserveStock', 'createOrder'] as const) {
      await step(replica, purchase, command)
      await waitFor('the flush', () => cluster.exists(streamKey(replica, purchase)))
    }
    await end(replica, purchase)

    const [stream, hash] = [streamKey(replica, purchase), hashKey(replica, purchase)]
    await waitFor('the end', async () => (await cluster.xlen(stream)) === 3)
    const entries = await cluster.xrange(stream, '-', '+')
    assert.deepEqual(
      entries.map(([id]) => id),
      ['10-0', '20-0', '1000-0'],
    )
    assert.equal(await cluster.cluster('KEYSLOT', stream), await cluster.cluster('KEYSLOT', hash))
    await waitFor('the expiry', async () => (await cluster.ttl(hash)) > 0)
    const ttl = await cluster.ttl(stream)
    assert.ok(ttl > 3_000 && ttl <= 3_600)
  })

  it('asks the database once a second for all who watch, and for no more than the end', async () => {
    const replica = await createReplica()
    const purchases = [await accept(), await accept(), await accept()]
    for (const purchase of purchases) await step(replica, purchase, 'reserveStock')
    const readers = await Promise.all(purchases.map((purchase) => listen(replica, purchase)))
    await waitFor('the steps', () => readers.every(({ ids }) => ids().length === 1))
    const before = replica.queries()
    const started = performance.now()

    for (const purchase of purchases) await end(replica, purchase)
    await Promise.all(readers.map(({ ended }) => ended()))

    // A flush or a look for each end at most, and the looks of each second.
    const allowed = 2 * purchases.length + (performance.now() - started) / 1_000 + 1
    assert.ok(replica.queries() - before <= allowed, `${replica.queries() - before} queries`)
  })

  it('shows nobody the purchase of another customer, from Redis or without it', async () => {
    const replica = await createReplica()
    const purchase = await accept()
    const foreign = { ...purchase, customerId: newId() }
    assert.equal((await listen(replica, foreign)).response.status, 404)
    await step(replica, purchase, 'reserveStock')
    await waitFor('the hash', () => replica.test.redis.cluster.exists(hashKey(replica, purchase)))

    assert.equal((await listen(replica, foreign)).response.status, 404)
    assert.equal((await listen(replica, { ...foreign, id: newId() })).response.status, 404)
    assert.equal((await fetch(`${replica.url}/${purchase.id}/events`)).status, 401)
  })

  it('opens no more streams than it may, and one again when a client is gone', async () => {
    const replica = await createReplica({ limits: { ...streams, max: 1 } })
    const purchase = await accept()
    const first = await listen(replica, purchase)

    const second = await listen(replica, purchase)
    assert.equal(second.response.status, 503)
    assert.equal(second.response.headers.get('retry-after'), '1')
    first.leave()

    await waitFor('room', async () => (await listen(replica, purchase)).response.status === 200)
  })

  it('ends a stream at its deadline, and all of them when the process drains', async () => {
    const short = await createReplica({ limits: { ...streams, deadlineMs: 50 } })
    const draining = await createReplica()
    const purchase = await accept()
    const expiring = await listen(short, purchase)
    const open = await listen(draining, purchase)

    await expiring.ended()
    await draining.close()
    await open.ended()

    assert.deepEqual([expiring.ids(), open.ids()], [[], []])
  })

  it('makes nobody who stores progress wait for a Redis that hangs', async () => {
    const replica = await createReplica()
    const { redis } = replica.test
    const hang = () => new Promise(() => undefined)
    redis.cluster.sendCommand = hang as never
    redis.entities.client = () => ({ hGetAll: hang, multi: hang }) as never
    const purchases = await Promise.all(Array.from({ length: 30 }, accept))
    const reader = await listen(replica, purchases[0] as Accepted)
    const started = performance.now()

    for (const purchase of purchases) await step(replica, purchase, 'reserveStock')

    // Each waits for company first, 50 ms.
    assert.ok(performance.now() - started < 30 * (50 + 20) + 400)
    await waitFor('the step', () => reader.ids().length === 1, 10_000)
  })

  it('is heard through Redis again when that is back', async () => {
    const door = resources.adopt(await closedDoor(), (open) => open.close())
    const prefix = uniqueName()
    const writer = await createReplica({ prefix })
    const reader = await createReplica({ prefix, nodes: [door.node] })
    const told = () => reader.test.count('purchase_progress_events_total', { source: 'stream' })
    await door.open()

    await waitFor('a step from the stream', async () => {
      const purchase = await accept()
      const { ids, leave } = await listen(reader, purchase)
      await step(writer, purchase, 'reserveStock')
      await waitFor('the step', () => ids().length === 1)
      leave()
      return (await told()) > 0
    })
  })
})

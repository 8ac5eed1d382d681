import assert from 'node:assert/strict'
import { waitFor } from '../../scripts/wait-for.ts'
import { createAuthentication } from '../../shared/auth.ts'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { auditRoutes, type Purchase, purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { AppError } from '../../shared/errors.ts'
import { startHttpServer } from '../../shared/http.ts'
import { newId } from '../../shared/ids.ts'
import { createLogger } from '../../shared/logger.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createOperatorAuthentication } from '../../shared/operators.ts'
import type { Outgoing } from '../../shared/publisher.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { operators } from '../../test/helpers/operators.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import { connectTestRedis } from '../../test/helpers/redis.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { createProgressFeed } from './progress-feed.ts'
import { connectRepository, type Repository } from './repository.ts'
import { createPurchaseService, type PurchaseService } from './service.ts'

const logger = createLogger('purchase', 'silent')

describe('a purchase and its saga', function () {
  this.timeout(20_000)

  const open = new AsyncDisposableStack()
  /** What the orchestrator says of a purchase; without a word it is away. */
  const verdicts = new Map<string, string>()
  const wishes: string[] = []
  const published: Outgoing[] = []
  let repository: Repository
  let service: PurchaseService
  let base: string

  before(async () => {
    const database = open.adopt(await createTestDatabase('purchase'), (it) => it.close())
    repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (it) => it.close(),
    )
    // Nobody is there: a saga does not need it.
    const redis = open.adopt(await connectTestRedis(['127.0.0.1:1']), (it) => it.close())
    const feed = open.adopt(createProgressFeed({ ...redis, repository }), (it) => it.close())
    service = createPurchaseService({
      repository,
      feed,
      accounts: { Authenticate: () => Promise.reject(new Error('nobody buys here')), close() {} },
      products: {
        GetProducts: async () => ({ products: [] }),
        CheckProducts: async () => ({ checks: [] }),
        close() {},
      },
      sagas: {
        async Cancel({ purchase_id }) {
          wishes.push(purchase_id)
          const verdict = verdicts.get(purchase_id)
          if (!verdict) throw new AppError('unavailable', 'the saga does not answer')
          return { verdict }
        },
      },
      publish: async (_topic, message) => {
        published.push(message)
      },
      currencyCode: 'VND',
      requireVerifiedEmail: false,
      overdueMs: 1,
      logger,
    })
    const http = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger,
      metrics: createMetrics('purchase'),
      health: {},
      routes: { ...purchaseRoutes, ...auditRoutes },
      handlers: createHandlers(service),
      authenticate: createAuthentication(testTokens.config),
      authenticateOperator: createOperatorAuthentication(operators.config),
    })
    open.defer(() => http.close())
    base = `http://127.0.0.1:${http.port}/api/v1`
  })

  after(() => open.disposeAsync())

  async function request(caller: string, path: string, method = 'GET') {
    const headers = { authorization: `Bearer ${testTokens.tokenFor(caller)}` }
    const response = await fetch(base + path, { method, headers })
    return { status: response.status, body: (await response.json()) as Purchase }
  }

  async function bought() {
    const accepted = buildPurchase()
    await repository.insert([{ accepted, idempotencyKey: null, bodyHash: 'hash' }])
    return { id: accepted.purchase_id, caller: accepted.customer_id }
  }

  const endOf = (id: string, status: PurchaseEnded['status']): PurchaseEnded => ({
    purchase_id: id,
    customer_id: null,
    status,
    reason: null,
    failed_step: null,
  })

  describe('cancelling', () => {
    const cancel = (caller: string, id: string) =>
      request(caller, `/purchases/${id}/cancel`, 'POST')

    it('is a wish that shows at once and is told to the saga', async () => {
      const { caller, id } = await bought()
      verdicts.set(id, 'CANCELLING')

      const answers = [await cancel(caller, id), await cancel(caller, id)]
      const shown = await request(caller, `/purchases/${id}`)

      assert.deepEqual(
        answers.map(({ status, body }) => [status, body.status, body.purchase_id]),
        [
          [202, 'CANCELLING', id],
          [202, 'CANCELLING', id],
        ],
      )
      assert.equal(shown.body.status, 'CANCELLING')
      assert.equal(wishes.filter((wish) => wish === id).length, 1)
    })

    it('is told to a saga that asks, until the purchase has ended', async () => {
      const { caller, id } = await bought()
      const { CancelWished } = createGrpcHandlers(service)
      const wished = async (purchase_id = id) =>
        (await CancelWished({ purchase_ids: [newId(), purchase_id] })).wished.includes(purchase_id)

      const before = await wished()
      await cancel(caller, id)
      const after = await wished()
      await service.end(endOf(id, 'CANCELLED'))

      assert.deepEqual([before, after, await wished()], [false, true, false])
      assert.equal(await wished(newId()), false)
      await assert.rejects(wished('none'), AppError)
    })

    it('is kept while nobody hears it, and told later', async () => {
      const { caller, id } = await bought()

      const answer = await cancel(caller, id)
      verdicts.set(id, 'CANCELLING')
      await waitFor('the sweep', async () => {
        await service.deliverCancels()
        return wishes.filter((wish) => wish === id).length === 2
      })
      await service.deliverCancels()

      assert.equal(answer.status, 202)
      assert.equal(answer.body.status, 'CANCELLING')
      assert.equal(wishes.filter((wish) => wish === id).length, 2)
    })

    it('comes too late when it is paid for', async () => {
      const { caller, id } = await bought()
      verdicts.set(id, 'COMPLETED')

      const answer = await cancel(caller, id)
      const shown = await request(caller, `/purchases/${id}`)

      assert.equal(answer.status, 409)
      assert.notEqual(shown.body.status, 'CANCELLING')
    })

    it('of a purchase that has ended says so', async () => {
      for (const [status, expected] of [
        ['COMPLETED', 409],
        ['REJECTED', 409],
        ['CANCELLED', 202],
      ] as const) {
        const { caller, id } = await bought()
        await service.end(endOf(id, status))

        const answer = await cancel(caller, id)

        assert.equal(answer.status, expected)
        if (expected === 202) assert.equal(answer.body.status, status)
        assert.ok(!wishes.includes(id))
      }
    })

    it("is for one's own purchases only", async () => {
      const { id } = await bought()

      assert.equal((await cancel(newId(), id)).status, 404)
      assert.equal((await cancel(newId(), newId())).status, 404)
    })
  })

  it('shows that it needs attention until it has ended', async () => {
    const { caller, id } = await bought()
    const shown = async () => (await request(caller, `/purchases/${id}`)).body
    const before = await shown()
    await service.flag(id)
    const flagged = await shown()
    await service.end(endOf(id, 'REJECTED'))

    assert.equal(before.needs_attention, false)
    assert.equal(flagged.needs_attention, true)
    assert.equal(flagged.status, before.status)
    assert.equal((await shown()).needs_attention, false)
  })

  it('keeps what operators did, once, and shows it to operators only', async () => {
    const { caller, id } = await bought()
    await service.end(endOf(id, 'COMPLETED'))
    await service.flag(id)
    const acted = {
      action_id: newId(),
      purchase_id: id,
      operator: 'lan',
      action: 'resolve' as const,
      step: null,
      note: 'settled by hand',
      at: new Date().toISOString(),
    }
    await service.noteAction(acted)
    await service.noteAction(acted)

    const audit = (token: string) =>
      fetch(`${base}/audit/${id}`, { headers: { authorization: `Bearer ${token}` } })
    const told = await audit(operators.token)
    const { purchase_id: _, ...kept } = acted
    assert.deepEqual(await told.json(), { items: [kept] })
    assert.equal((await audit(testTokens.tokenFor(caller))).status, 401)
    const { body } = await request(caller, `/purchases/${id}`)
    assert.equal(body.needs_attention, false)
  })

  it('that is paid for has its end asked for, once in a while, until it comes', async () => {
    const paid = await bought()
    const unpaid = await bought()
    const fresh = await bought()
    const ended = await bought()
    const longAgo = new Date(Date.now() - 60_000)
    const step = (id: string, sequence: number, name: string, at: Date) =>
      service.addProgress({ purchaseId: id, sequence, name, outcome: 'done', reason: null, at })
    await Promise.all([
      step(paid.id, 30, 'take-payment', longAgo),
      step(unpaid.id, 20, 'create-order', longAgo),
      step(fresh.id, 30, 'take-payment', new Date()),
      step(ended.id, 30, 'take-payment', longAgo),
    ])
    await service.end(endOf(ended.id, 'COMPLETED'))

    await service.askForEnds()
    await service.askForEnds()

    const asked = published.filter(({ headers }) => headers?.event === 'settlementOverdue')
    const ids = [paid, unpaid, fresh, ended].map(({ id }) => id)
    assert.deepEqual(
      asked.map(({ key }) => key).filter((key) => ids.includes(key)),
      [paid.id],
    )
  })

  it('that stands still is published again and its end asked for, until somebody was told', async () => {
    const { id } = await bought()
    const eventsOf = () =>
      published.filter(({ key }) => key === id).map(({ headers }) => headers?.event)

    await waitFor('the sweep', async () => {
      await service.askAfterOverdue()
      return eventsOf().length > 0
    })
    const told = eventsOf()
    await service.flag(id)
    const before = eventsOf().length
    await service.askAfterOverdue()

    assert.deepEqual(told, ['purchaseAccepted', 'settlementOverdue'])
    assert.equal(eventsOf().length, before)
  })
})

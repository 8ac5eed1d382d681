import assert from 'node:assert/strict'
import { waitFor } from '../../scripts/wait-for.ts'
import { createAuthentication, verifyAccessToken } from '../../shared/auth.ts'
import { type CommandName, commands } from '../../shared/contracts/commands.ts'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { auditRoutes, type Purchase, purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { AppError, type FieldError } from '../../shared/errors.ts'
import { connectGrpc, startGrpcServer } from '../../shared/grpc.ts'
import { startHttpServer } from '../../shared/http.ts'
import { commandId, newId } from '../../shared/ids.ts'
import type { KafkaClient } from '../../shared/kafka.ts'
import { createLogger } from '../../shared/logger.ts'
import { sendEvent, sendReply } from '../../shared/messages.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createOperatorAuthentication } from '../../shared/operators.ts'
import { consumeEvents } from '../../shared/subscriber.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { operators } from '../../test/helpers/operators.ts'
import { connectTestRedis } from '../../test/helpers/redis.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createTestTopics, type StoredMessage, type TestTopics } from '../../test/helpers/topics.ts'
import { consumeProgress, createEventHandlers } from './events.ts'
import { createHandlers } from './http.ts'
import { createProgressFeed } from './progress-feed.ts'
import { connectRepository } from './repository.ts'
import { createPurchaseService, type PurchaseService } from './service.ts'

type Product = { id: string; account_id: string; name: string; price: number }
type Body = Purchase & {
  purchase_id: string
  items: Purchase[]
  next_cursor: string | null
  errors?: FieldError[]
}
type Answer = { status: number; body: Body }

const host = '127.0.0.1'
const logger = createLogger('purchase', 'silent')

describe('purchases', () => {
  const open = new AsyncDisposableStack()
  const catalog = new Map<string, Product>()
  const revoked = new Set<string>()
  let database: TestDatabase
  let topics: TestTopics
  let kafka: KafkaClient
  let service: PurchaseService
  let base: string
  let published: StoredMessage[]
  /** The keys of what is on its way to Kafka or there. */
  const sent: string[] = []
  let kafkaIsAway = false

  before(async () => {
    database = open.adopt(await createTestDatabase('purchase'), (it) => it.close())
    topics = open.adopt(await createTestTopics(), (it) => it.close())
    published = await topics.read('purchases')
    kafka = open.adopt(await topics.connect('purchase'), (it) => it.close())
    const repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 10 }),
      (it) => it.close(),
    )
    // Nobody is there: progress is stored all the same.
    const redis = open.adopt(await connectTestRedis(['127.0.0.1:1']), (it) => it.close())
    const feed = open.adopt(createProgressFeed({ ...redis, repository }), (it) => it.close())
    service = createPurchaseService({
      repository,
      feed,
      ...(await connectNeighbours()),
      publish: (topic, message, deadlineMs) => {
        if (kafkaIsAway) return Promise.reject(new AppError('unavailable', 'Kafka is away'))
        sent.push(message.key)
        return kafka.publish(topic, message, deadlineMs)
      },
      currencyCode: 'VND',
      requireVerifiedEmail: false,
      sagas: { Cancel: async () => ({ verdict: 'CANCELLING' }) },
      overdueMs: 300_000,
      logger,
    })
    await consumeProgress(kafka, service)
    const handlers = createEventHandlers(service)
    await consumeEvents(kafka, { group: 'purchase-results', handlers })
    const http = await startHttpServer({
      host,
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
    base = `http://${host}:${http.port}/api/v1`
  })

  after(() => open.disposeAsync())
  afterEach(() => {
    kafkaIsAway = false
  })

  /** account and product as purchase sees them. */
  async function connectNeighbours() {
    const auth = await startGrpcServer({
      service: 'auth',
      host,
      port: 0,
      logger,
      handlers: {
        async Authenticate({ access_token }) {
          const { accountId } = verifyAccessToken(testTokens.config, access_token)
          if (revoked.has(accountId)) throw new AppError('unauthorized', 'the token is revoked')
          return { account_id: accountId, email_verified: false }
        },
      },
    })
    open.defer(() => auth.close())
    const product = await startGrpcServer({
      service: 'product',
      host,
      port: 0,
      logger,
      handlers: {
        GetProducts: async ({ product_ids }) => ({
          products: product_ids.flatMap((id) => catalog.get(id) ?? []),
        }),
        CheckProducts: async () => ({ checks: [] }),
      },
    })
    open.defer(() => product.close())
    const accounts = connectGrpc('auth', `${host}:${auth.port}`)
    const products = connectGrpc('product', `${host}:${product.port}`)
    open.defer(() => accounts.close())
    open.defer(() => products.close())
    return { accounts, products }
  }

  function addProduct(price = 125): Product {
    const product = { id: newId(), account_id: newId(), name: `Tea for ${price}`, price }
    catalog.set(product.id, product)
    return product
  }

  function order(...items: [productId: string, quantity: number][]) {
    return {
      order_items: items.map(([product_id, quantity]) => ({ product_id, quantity })),
      payment: { currency_code: 'VND' },
    }
  }

  async function request(customerId: string, path: string, init: RequestInit = {}) {
    const headers = { authorization: `Bearer ${testTokens.tokenFor(customerId)}`, ...init.headers }
    const response = await fetch(`${base}/purchases${path}`, { ...init, headers })
    return { status: response.status, body: (await response.json()) as Body }
  }

  function buy(customerId: string, body: object, key?: string): Promise<Answer> {
    return request(customerId, '', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }) },
    })
  }

  async function accepted(customerId = newId()) {
    const { status, body } = await buy(customerId, order([addProduct().id, 1]))
    assert.equal(status, 202)
    return { id: body.purchase_id, customerId }
  }

  async function see({ id, customerId }: { id: string; customerId: string }): Promise<Purchase> {
    const { status, body } = await request(customerId, `/${id}`)
    assert.equal(status, 200)
    return body
  }

  function eventsOf(id: string) {
    return published.filter(({ key }) => key === id)
  }

  function publishedAt(id: string) {
    return database.query(
      `SELECT published_at FROM purchases WHERE id = '${id}' AND published_at IS NOT NULL`,
    )
  }

  describe('POST /purchases', () => {
    it('accepts, computes the amount and says where to see how it goes', async () => {
      const [tea, cup] = [addProduct(125), addProduct(1_000)]
      const customerId = newId()
      const { status, body } = await buy(customerId, order([tea.id, 2], [cup.id, 3]))

      const { purchase_id: id } = body
      assert.equal(status, 202)
      assert.deepEqual(body, {
        purchase_id: id,
        status: 'ACCEPTED',
        amount: 3_250,
        currency_code: 'VND',
        links: { self: `/api/v1/purchases/${id}` },
      })
      const [event] = await waitFor('the event', () => eventsOf(id).length > 0 && eventsOf(id))
      assert.deepEqual(event?.headers, { event: 'purchaseAccepted', purchase_id: id })
      assert.deepEqual(JSON.parse(event?.value ?? ''), {
        purchase_id: id,
        customer_id: customerId,
        lines: [
          { product_id: tea.id, quantity: 2, name: tea.name, unit_price: 125 },
          { product_id: cup.id, quantity: 3, name: cup.name, unit_price: 1_000 },
        ],
        amount: 3_250,
        currency_code: 'VND',
        payment_method: 'sim_ok',
      })
    })

    it('keeps the names and prices of the moment', async () => {
      const tea = addProduct(125)
      const customerId = newId()
      const { body } = await buy(customerId, order([tea.id, 2]))
      catalog.set(tea.id, { ...tea, name: 'Dear tea', price: 999 })

      const { lines, amount } = await see({ id: body.purchase_id, customerId })
      assert.equal(amount, 250)
      const line = { product_id: tea.id, quantity: 2, name: tea.name, unit_price: 125 }
      assert.deepEqual(lines, [line])
    })

    it('merges the lines of one product, however its id is written', async () => {
      const [tea, cup] = [addProduct(1), addProduct(10)]
      const customerId = newId()
      const { status, body } = await buy(
        customerId,
        order([tea.id, 1], [cup.id, 1], [tea.id.toUpperCase(), 4]),
      )
      assert.equal(status, 202)
      const { lines, amount } = await see({ id: body.purchase_id, customerId })
      assert.equal(amount, 15)
      assert.deepEqual(
        lines.map(({ product_id, quantity }) => [product_id, quantity]),
        [
          [tea.id, 5],
          [cup.id, 1],
        ],
      )
    })

    const refusals: Record<string, { status: number; field: string; build: () => object }> = {
      'a foreign currency': {
        status: 422,
        field: 'payment.currency_code',
        build: () => ({ ...order([addProduct().id, 1]), payment: { currency_code: 'USD' } }),
      },
      'a product that does not exist': {
        status: 422,
        field: 'order_items.1.product_id',
        build: () => order([addProduct().id, 1], [newId(), 1]),
      },
      'an amount that no number can hold': {
        status: 422,
        field: 'order_items',
        build: () => order([addProduct(Number.MAX_SAFE_INTEGER).id, 2]),
      },
      'no lines': { status: 400, field: 'order_items', build: () => order() },
      'a quantity of nothing': {
        status: 400,
        field: 'order_items.0.quantity',
        build: () => order([addProduct().id, 0]),
      },
      'an amount of its own': {
        status: 400,
        field: 'amount',
        build: () => ({ ...order([addProduct().id, 1]), amount: 1 }),
      },
    }

    for (const [what, { status, field, build }] of Object.entries(refusals)) {
      it(`refuses ${what} and names ${field}`, async () => {
        const customerId = newId()
        const answer = await buy(customerId, build())
        assert.equal(answer.status, status)
        assert.deepEqual(
          answer.body.errors?.map((error) => error.field),
          [field],
        )
        assert.deepEqual((await request(customerId, '')).body.items, [])
      })
    }

    it('refuses a token that account has revoked', async () => {
      const customerId = newId()
      revoked.add(customerId)
      const body = order([addProduct().id, 1])
      assert.equal((await buy(customerId, body)).status, 401)
      assert.equal((await buy(customerId, body, newId())).status, 401)
      assert.deepEqual((await request(customerId, '')).body.items, [])
    })
  })

  describe('Idempotency-Key', () => {
    it('gets the first answer for the same body, however it is written and whatever changed', async () => {
      const tea = addProduct(125)
      const [customerId, key] = [newId(), newId()]
      const { order_items, payment } = order([tea.id, 2])
      const first = await buy(customerId, { order_items, payment }, key)
      catalog.set(tea.id, { ...tea, price: 999 })

      const method = 'sim_ok'
      const again = await buy(customerId, { payment: { method, ...payment }, order_items }, key)
      assert.equal(again.status, 202)
      assert.deepEqual(again.body, first.body)
      assert.equal((await request(customerId, '')).body.items.length, 1)
    })

    it('still gets it when the purchase has ended', async () => {
      const [customerId, key] = [newId(), newId()]
      const body = order([addProduct().id, 2])
      const first = await buy(customerId, body, key)
      await service.end(endOf({ id: first.body.purchase_id, customerId }, 'COMPLETED'))
      assert.deepEqual((await buy(customerId, body, key)).body, first.body)
    })

    it('still gets it when a product of it is gone', async () => {
      const tea = addProduct()
      const [customerId, key] = [newId(), newId()]
      const first = await buy(customerId, order([tea.id, 2]), key)
      catalog.delete(tea.id)

      const again = await buy(customerId, order([tea.id, 2]), key)
      const other = await buy(customerId, order([tea.id, 2]), newId())

      assert.deepEqual(again, first)
      assert.equal(other.status, 422)
    })

    it('does not get it with a token that account has revoked since', async () => {
      const [customerId, key] = [newId(), newId()]
      const body = order([addProduct().id, 2])
      await buy(customerId, body, key)
      revoked.add(customerId)
      assert.equal((await buy(customerId, body, key)).status, 401)
    })

    it('is refused for another body', async () => {
      const tea = addProduct()
      const [customerId, key] = [newId(), newId()]
      await buy(customerId, order([tea.id, 2]), key)
      const { status, body } = await buy(customerId, order([tea.id, 3]), key)
      assert.equal(status, 422)
      assert.deepEqual(
        body.errors?.map(({ field }) => field),
        ['idempotency-key'],
      )
    })

    it('is one of its customer: another one may use it too', async () => {
      const key = newId()
      const body = order([addProduct().id, 1])
      const answers = await Promise.all([buy(newId(), body, key), buy(newId(), body, key)])
      assert.deepEqual(
        answers.map(({ status }) => status),
        [202, 202],
      )
      assert.equal(new Set(answers.map((answer) => answer.body.purchase_id)).size, 2)
    })

    it('makes one purchase of twenty requests at once', async () => {
      const [customerId, key] = [newId(), newId()]
      const body = order([addProduct().id, 1])
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => buy(customerId, body, key)),
      )
      for (const answer of answers) assert.deepEqual(answer, answers[0])
      assert.equal(answers[0]?.status, 202)
      const { items } = (await request(customerId, '')).body
      assert.deepEqual(
        items.map((item) => item.purchase_id),
        [answers[0]?.body.purchase_id],
      )
    })

    it('without one, each request is a purchase', async () => {
      const customerId = newId()
      const body = order([addProduct().id, 1])
      await Promise.all([buy(customerId, body), buy(customerId, body)])
      assert.equal((await request(customerId, '')).body.items.length, 2)
    })
  })

  describe('publishing', () => {
    const age = (id: string) =>
      database.query(
        `UPDATE purchases SET created_at = now() - interval '1 minute' WHERE id = '${id}'`,
      )

    // Behind a crowd, which another test may have been, an event takes a moment.
    before(() =>
      waitFor('an event that goes at once', async () => sent.includes((await accepted()).id)),
    )

    it('is noted, and then never repeated', async () => {
      const { id } = await accepted()
      await age(id)
      await service.publishMissing()
      assert.deepEqual(await publishedAt(id), [])
      await service.notePublished()
      assert.equal((await publishedAt(id)).length, 1)
      await service.publishMissing()
      assert.equal(sent.filter((key) => key === id).length, 1)
    })

    it('is made up for when the process died right behind the insert', async () => {
      const { id, customerId } = await accepted()
      await service.notePublished()
      await database.query(`UPDATE purchases SET published_at = NULL WHERE id = '${id}'`)
      await service.publishMissing()
      assert.equal(sent.filter((key) => key === id).length, 1, 'a young one may be on its way')
      await age(id)
      await service.publishMissing()
      const [first, second] = await waitFor('a second event', () => {
        return eventsOf(id).length === 2 && eventsOf(id)
      })
      assert.deepEqual(JSON.parse(second?.value ?? ''), JSON.parse(first?.value ?? ''))
      await service.notePublished()
      assert.equal((await publishedAt(id)).length, 1)
      assert.equal((await see({ id, customerId })).status, 'ACCEPTED')
    })

    it('waits while Kafka is away: the purchase is accepted all the same', async () => {
      kafkaIsAway = true
      const { id } = await accepted()
      await age(id)
      await service.publishMissing()
      await service.notePublished()
      assert.deepEqual(await publishedAt(id), [])

      kafkaIsAway = false
      await service.publishMissing()
      await waitFor('the event', () => eventsOf(id).length === 1)
      await service.notePublished()
      assert.equal((await publishedAt(id)).length, 1)
    })
  })

  function endOf(
    { id, customerId }: { id: string; customerId: string },
    status: PurchaseEnded['status'],
    reason: string | null = null,
    failed_step: string | null = null,
  ): PurchaseEnded {
    return { purchase_id: id, customer_id: customerId, status, reason, failed_step }
  }

  function reply(id: string, command: CommandName, body: Parameters<typeof sendReply>[2]) {
    const { step } = commands[command]
    const headers = {
      command,
      command_id: commandId(id, step),
      purchase_id: id,
      workflow_id: 'workflow',
      run_id: 'run',
      activity_id: step,
    }
    return sendReply(kafka.publish, headers, body)
  }

  describe('progress', () => {
    const done = { outcome: 'done' } as const
    const taken = { ...done, provider_reference: 'reference' }
    const rejected = { outcome: 'rejected', reason: 'out_of_stock' } as const

    function seeSteps(purchase: { id: string; customerId: string }, count: number) {
      return waitFor('the steps', async () => {
        const seen = await see(purchase)
        return seen.steps.length === count && seen
      })
    }

    it('shows each step once, in the order of the saga, and links to what is there', async () => {
      const purchase = await accepted()
      await reply(purchase.id, 'createOrder', done)
      await reply(purchase.id, 'reserveStock', done)
      await reply(purchase.id, 'createOrder', done)
      await reply(purchase.id, 'takePayment', taken)

      const seen = await seeSteps(purchase, 3)
      assert.deepEqual(
        seen.steps.map(({ name, outcome, reason }) => [name, outcome, reason]),
        [
          ['reserve-stock', 'done', null],
          ['create-order', 'done', null],
          ['take-payment', 'done', null],
        ],
      )
      assert.equal(seen.status, 'PROCESSING')
      assert.deepEqual(seen.links, {
        self: `/api/v1/purchases/${purchase.id}`,
        order: `/api/v1/orders/${purchase.id}`,
        payment: `/api/v1/payments/${purchase.id}`,
      })
    })

    it('shows why a step was refused, and the first answer only', async () => {
      const purchase = await accepted()
      await reply(purchase.id, 'reserveStock', rejected)
      await reply(purchase.id, 'reserveStock', done)
      await reply(purchase.id, 'releaseStock', done)

      const { steps, links } = await seeSteps(purchase, 2)
      assert.deepEqual(
        steps.map(({ name, outcome, reason }) => [name, outcome, reason]),
        [
          ['reserve-stock', 'rejected', 'out_of_stock'],
          ['release-stock', 'done', null],
        ],
      )
      assert.deepEqual(Object.keys(links), ['self'])
    })

    it('of a purchase that nobody knows is left alone', async () => {
      await reply(newId(), 'reserveStock', done)
      const purchase = await accepted()
      await reply(purchase.id, 'reserveStock', done)
      await seeSteps(purchase, 1)
    })

    it('never leaves an end behind, and an end is never changed', async () => {
      const purchase = await accepted()
      const first = endOf(purchase, 'REJECTED', 'payment_declined', 'take-payment')
      await sendEvent(kafka.publish, 'purchaseEnded', first)
      await waitFor('the end', async () => (await see(purchase)).status === 'REJECTED')
      await sendEvent(kafka.publish, 'purchaseEnded', first)
      await sendEvent(kafka.publish, 'purchaseEnded', endOf(purchase, 'COMPLETED'))
      const marker = await accepted()
      await sendEvent(kafka.publish, 'purchaseEnded', endOf(marker, 'COMPLETED'))
      await reply(purchase.id, 'releaseStock', done)
      await reply(purchase.id, 'reserveStock', done)

      const seen = await seeSteps(purchase, 3)
      await waitFor('the other end', async () => (await see(marker)).status === 'COMPLETED')
      assert.deepEqual(
        [seen.status, seen.reason, seen.failed_step],
        ['REJECTED', 'payment_declined', 'take-payment'],
      )
      assert.equal((await see(purchase)).status, 'REJECTED')
    })

    it('shows the step that ended the purchase once, whether it was answered or not', async () => {
      const [answered, silent] = [await accepted(), await accepted()]
      await reply(answered.id, 'reserveStock', rejected)
      await seeSteps(answered, 1)
      await service.end(endOf(answered, 'REJECTED', 'out_of_stock', 'reserve-stock'))
      await service.end(endOf(silent, 'REJECTED', 'timeout', 'reserve-stock'))
      await service.end(endOf(silent, 'REJECTED', 'timeout', 'reserve-stock'))

      const outcomes = async (purchase: typeof silent) =>
        (await see(purchase)).steps.map(({ at: _, ...step }) => step)
      const step = { name: 'reserve-stock', outcome: 'rejected' }
      assert.deepEqual(await outcomes(answered), [{ ...step, reason: 'out_of_stock' }])
      assert.deepEqual(await outcomes(silent), [{ ...step, reason: 'timeout' }])
    })

    it('of a purchase that nobody knows may end too', async () => {
      await service.end(endOf({ id: newId(), customerId: newId() }, 'REJECTED'))
    })
  })

  describe('GET /purchases', () => {
    it('shows nobody the purchase of another customer', async () => {
      const { id } = await accepted()
      const foreign = await request(newId(), `/${id}`)
      const missing = await request(newId(), `/${newId()}`)
      assert.equal(foreign.status, 404)
      const { instance: _, ...problem } = foreign.body as Body & { instance: string }
      const { instance: __, ...other } = missing.body as Body & { instance: string }
      assert.deepEqual(problem, other)
    })

    it('pages through the own purchases, newest first', async () => {
      const customerId = newId()
      const ids: string[] = []
      for (let index = 0; index < 5; index++) ids.unshift((await accepted(customerId)).id)
      await accepted()

      const pages: string[][] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query: string = cursor && `&cursor=${cursor}`
        const { body }: Answer = await request(customerId, `?limit=2${query}`)
        pages.push(body.items.map((item) => item.purchase_id))
        cursor = body.next_cursor
      }
      assert.deepEqual(pages, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)])
    })

    it('asks for a token', async () => {
      for (const path of ['', `/${newId()}`]) {
        assert.equal((await fetch(`${base}/purchases${path}`)).status, 401)
      }
    })
  })
})

import assert from 'node:assert/strict'
import { pino } from 'pino'
import { createAuthentication } from '../../shared/auth.ts'
import { type Payment, paymentRoutes } from '../../shared/contracts/payment.ts'
import { startHttpServer } from '../../shared/http.ts'
import { commandId, newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'
import { createSimulator } from './simulator.ts'
import { connectSimulatorRepository } from './simulator-repository.ts'

/** Of an answer: a payment, a page of them or a problem. */
type Body = Payment & { items: Payment[]; next_cursor: string | null; detail?: string }

describe('payment HTTP', () => {
  const resources = new AsyncDisposableStack()
  let base: string
  let takePayment: ReturnType<typeof createPaymentService>['takePayment']

  before(async () => {
    const { url, close } = await createTestDatabase('payment')
    resources.defer(close)
    const config = { DATABASE_URL: url, DATABASE_POOL_SIZE: 4 }
    const repository = resources.adopt(await connectRepository(config), (open) => open.close())
    const charges = resources.adopt(await connectSimulatorRepository(config), (open) =>
      open.close(),
    )
    const logger = pino({ level: 'silent' })
    const metrics = createMetrics('payment')
    const service = createPaymentService({
      repository,
      provider: createSimulator({ repository: charges, refundFailures: 0 }),
      providerTimeoutMs: 2_000,
      logger,
    })
    takePayment = service.takePayment
    const server = resources.adopt(
      await startHttpServer({
        host: '127.0.0.1',
        port: 0,
        logger,
        metrics,
        health: { database: repository.answers },
        routes: paymentRoutes,
        handlers: createHandlers(service),
        authenticate: createAuthentication(testTokens.config),
      }),
      (open) => open.close(),
    )
    base = `http://127.0.0.1:${server.port}`
  })

  after(() => resources.disposeAsync())

  async function get(path: string, accountId?: string) {
    const headers = accountId
      ? { authorization: `Bearer ${testTokens.tokenFor(accountId)}` }
      : undefined
    const response = await fetch(`${base}/api/v1${path}`, { headers })
    return { status: response.status, body: (await response.json()) as Body }
  }

  async function pay(customerId: string, method = 'sim_ok'): Promise<string> {
    const purchaseId = newId()
    await takePayment({
      name: 'takePayment',
      commandId: commandId(purchaseId, 'take-payment'),
      purchaseId,
      deadline: undefined,
      body: { customer_id: customerId, amount: 250, currency_code: 'VND', method },
    })
    return purchaseId
  }

  it("GET /payments/:id answers with the caller's payment", async () => {
    const customer = newId()
    for (const [method, paid] of [
      ['sim_ok', 'CAPTURED'],
      ['sim_declined', 'DECLINED'],
    ]) {
      const id = await pay(customer, method)
      const { status, body } = await get(`/payments/${id}`, customer)
      assert.equal(status, 200)
      const { created_at: _, ...payment } = body
      assert.deepEqual(payment, { id, status: paid, amount: 250, currency_code: 'VND', method })
    }
  })

  it('GET /payments/:id does not tell a foreign payment from a missing one', async () => {
    const id = await pay(newId())
    const foreign = await get(`/payments/${id}`, newId())
    const missing = await get(`/payments/${newId()}`, newId())
    assert.equal(foreign.status, 404)
    assert.equal(missing.status, 404)
    assert.equal(foreign.body.detail, missing.body.detail)
    assert.equal((await get('/payments/1', newId())).status, 400)
  })

  it('GET /payments pages through own payments, newest first', async () => {
    const customer = newId()
    const ids = []
    for (let i = 0; i < 5; i++) ids.push(await pay(customer))
    await pay(newId())

    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await get(`/payments?limit=2${cursor && `&cursor=${cursor}`}`, customer)
      seen.push(...body.items.map((payment) => payment.id))
      cursor = body.next_cursor
    }
    assert.deepEqual(seen, ids.reverse())
    assert.deepEqual((await get('/payments', newId())).body, { items: [], next_cursor: null })
  })

  it('asks for a token', async () => {
    assert.equal((await get('/payments')).status, 401)
    assert.equal((await get(`/payments/${newId()}`)).status, 401)
  })
})

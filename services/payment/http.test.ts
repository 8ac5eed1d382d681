import assert from 'node:assert/strict'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import { type Payment, paymentRoutes } from '../../shared/contracts/payment.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import {
  itKeepsRecordsApart,
  type OwnRecords,
  serveOwnRecords,
} from '../../test/helpers/own-records.ts'
import { startTestProvider } from '../../test/helpers/provider.ts'
import { connectEventRepository } from './event-repository.ts'
import { createHandlers } from './http.ts'
import { createProviderGuard } from './provider-guard.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'
import { createWebhooks } from './webhooks.ts'

const { listPayments, getPayment } = paymentRoutes
/** Those of customers. */
const publicRoutes = { listPayments, getPayment }
type PublicRoutes = typeof publicRoutes

describe('payment HTTP', () => {
  const resources = new AsyncDisposableStack()
  let payments: OwnRecords<Payment>
  let takePayment: ReturnType<typeof createPaymentService>['takePayment']

  before(async () => {
    const { url, close } = await createTestDatabase('payment')
    resources.defer(close)
    const config = { DATABASE_URL: url, DATABASE_POOL_SIZE: 4 }
    const repository = resources.adopt(await connectRepository(config), (open) => open.close())
    const simulator = resources.adopt(await startTestProvider(), (open) => open.close())
    const service = createPaymentService({
      repository,
      provider: simulator.provider,
      guard: createProviderGuard({
        slots: 64,
        timeoutMs: 30_000,
        metrics: { registry: new Registry() },
      }),
      logger: pino({ level: 'silent' }),
    })
    takePayment = service.takePayment
    const events = resources.adopt(await connectEventRepository(config), (open) => open.close())
    const webhooks = createWebhooks({
      stripe: simulator.stripe,
      repository: events,
      secrets: [simulator.webhookSecret],
      toleranceSeconds: 300,
      metrics: { registry: new Registry() },
      logger: pino({ level: 'silent' }),
    })
    const { listPayments, getPayment } = createHandlers(service, webhooks, events)
    payments = resources.adopt(
      await serveOwnRecords<Payment, PublicRoutes>('payment', publicRoutes, {
        listPayments,
        getPayment,
      }),
      (open) => open.close(),
    )
  })

  after(() => resources.disposeAsync())

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
      const { status, body } = await payments.get(`/payments/${id}`, customer)
      assert.equal(status, 200)
      const { created_at: _, ...payment } = body
      assert.deepEqual(payment, {
        ...{ id, status: paid, amount: 250, currency_code: 'VND', method },
        ...{ refunded_amount: 0, refunds: [] },
      })
    }
  })

  it('GET /payments?status= shows the payments of that status only', async () => {
    const customer = newId()
    const [captured, declined] = [await pay(customer), await pay(customer, 'sim_declined')]

    const shown = async (status: string) =>
      (await payments.get(`/payments?status=${status}`, customer)).body.items?.map(({ id }) => id)

    assert.deepEqual(await shown('CAPTURED'), [captured])
    assert.deepEqual(await shown('DECLINED'), [declined])
    assert.deepEqual(await shown('REFUNDED'), [])
    assert.equal((await payments.get('/payments?status=PAID', customer)).status, 400)
  })

  itKeepsRecordsApart('/payments', () => payments, pay)
})

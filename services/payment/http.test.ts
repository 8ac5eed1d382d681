import assert from 'node:assert/strict'
import { pino } from 'pino'
import { type Payment, paymentRoutes } from '../../shared/contracts/payment.ts'
import { commandId, newId } from '../../shared/ids.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import {
  itKeepsRecordsApart,
  type OwnRecords,
  serveOwnRecords,
} from '../../test/helpers/own-records.ts'
import { createHandlers } from './http.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'
import { createSimulator } from './simulator.ts'
import { connectSimulatorRepository } from './simulator-repository.ts'

describe('payment HTTP', () => {
  const resources = new AsyncDisposableStack()
  let payments: OwnRecords<Payment>
  let takePayment: ReturnType<typeof createPaymentService>['takePayment']

  before(async () => {
    const { url, close } = await createTestDatabase('payment')
    resources.defer(close)
    const config = { DATABASE_URL: url, DATABASE_POOL_SIZE: 4 }
    const repository = resources.adopt(await connectRepository(config), (open) => open.close())
    const charges = resources.adopt(await connectSimulatorRepository(config), (open) =>
      open.close(),
    )
    const service = createPaymentService({
      repository,
      provider: createSimulator({ repository: charges, refundFailures: 0 }),
      providerTimeoutMs: 2_000,
      logger: pino({ level: 'silent' }),
    })
    takePayment = service.takePayment
    payments = resources.adopt(
      await serveOwnRecords<Payment, typeof paymentRoutes>(
        'payment',
        paymentRoutes,
        createHandlers(service),
      ),
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
      assert.deepEqual(payment, { id, status: paid, amount: 250, currency_code: 'VND', method })
    }
  })

  itKeepsRecordsApart('/payments', () => payments, pay)
})

import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { PaymentProvider } from '../../services/payment/provider.ts'
import { createProviderGuard } from '../../services/payment/provider-guard.ts'
import { createRefundSteps } from '../../services/payment/refund-steps.ts'
import { createRefunds } from '../../services/payment/refunds.ts'
import { createPaymentService } from '../../services/payment/service.ts'
import type { CloseRefund } from '../../shared/contracts/commands.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { RequestRefund } from '../../shared/contracts/refund.ts'
import type { StartRefundMessage } from '../../shared/grpc/services.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { openPaymentDatabase } from './payment-database.ts'
import { take } from './payments.ts'

const logger = pino({ level: 'silent' })
export const whole: RequestRefund = { restock: false, reason: 'It broke' }
export const part = (amount: number): RequestRefund => ({ ...whole, amount })

export const moneyCommand = (
  purchaseId: string,
  refund_id: string,
  amount: number,
): Command<'returnMoney'> => ({
  name: 'returnMoney',
  commandId: commandId(refund_id, 'return-money'),
  purchaseId,
  deadline: undefined,
  body: { refund_id, amount },
})

export const closeCommand = (
  purchaseId: string,
  refund_id: string,
  status: CloseRefund['status'],
): Command<'closeRefund'> => ({
  name: 'closeRefund',
  commandId: commandId(refund_id, 'close-refund'),
  purchaseId,
  deadline: undefined,
  body: { refund_id, status },
})

/** The refunds of payment on a database of its own. */
export async function openRefunds() {
  const { database, repository, simulator, close } = await openPaymentDatabase()
  /** What the purchase service knows of the payments. */
  const receipts = new Map<string, { status: string; sales: [seller: string, amount: number][] }>()
  const started: StartRefundMessage[] = []
  let orchestratorAnswers = true

  function setUp({ providerOf = (real: PaymentProvider) => real } = {}) {
    const guard = createProviderGuard({
      slots: 64,
      timeoutMs: 30_000,
      metrics: { registry: new Registry() },
    })
    const provider = providerOf(simulator.provider)
    return {
      ...createPaymentService({ repository, provider, guard, logger }),
      ...createRefundSteps({ repository, provider, guard, logger }),
      ...createRefunds({
        repository,
        logger,
        purchases: {
          async GetReceipts({ purchase_ids }) {
            const [purchase_id = ''] = purchase_ids
            const found = receipts.get(purchase_id)
            if (!found) return { receipts: [] }
            const sales = found.sales.map(([seller_id, amount]) => {
              const line = { product_id: newId(), quantity: 1, name: 'Tea', unit_price: amount }
              return { seller_id, line }
            })
            return {
              receipts: [
                {
                  ...{ purchase_id, status: found.status, amount: 250, currency_code: 'VND' },
                  delivery: null,
                  lines: sales.map(({ line }) => line),
                  sales: sales.map(({ seller_id, line }) => ({
                    seller_id,
                    product_ids: [line.product_id],
                  })),
                },
              ],
            }
          },
        },
        sagas: {
          async StartRefund(requested) {
            if (!orchestratorAnswers) throw new AppError('unavailable', 'no answer')
            started.push(requested)
            return { state: 'STARTED' }
          },
        },
      }),
    }
  }

  /** A captured payment of 250, of a completed purchase. */
  async function pay({ seller = newId(), amount = 250, status = 'COMPLETED' } = {}) {
    const [id, buyer] = [newId(), newId()]
    const shop = setUp()
    await shop.takePayment(take(id, { customer_id: buyer }))
    const rest: [string, number][] = amount < 250 ? [[newId(), 250 - amount]] : []
    receipts.set(id, { status, sales: [[seller, amount], ...rest] })
    return { id, seller, buyer, shop }
  }

  return {
    database,
    repository,
    simulator,
    started,
    setUp,
    pay,

    /** Whether the orchestrator answers. */
    setOrchestrator(state: 'available' | 'unavailable'): void {
      orchestratorAnswers = state === 'available'
    },

    /** What the provider has given back of a payment. */
    returnedOf(id: string): number {
      const select = simulator.books.prepare(
        `SELECT refunded FROM intents WHERE metadata ->> 'purchase_id' = ?`,
      )
      return Number(select.get(id)?.refunded)
    },

    /** What is claimed and given back of a payment. */
    async shown(id: string) {
      const [row] = await database.query(
        `SELECT refunds_claimed::int AS claimed, refunded_amount::int AS refunded FROM payments WHERE id = '${id}'`,
      )
      return row
    },

    close,
  }
}

export type TestRefunds = Awaited<ReturnType<typeof openRefunds>>

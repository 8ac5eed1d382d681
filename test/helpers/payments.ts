import assert from 'node:assert/strict'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createCommandHandlers } from '../../services/payment/commands.ts'
import type { PaymentProvider } from '../../services/payment/provider.ts'
import { createProviderGuard } from '../../services/payment/provider-guard.ts'
import { createRefundSteps } from '../../services/payment/refund-steps.ts'
import type { PaymentRepository } from '../../services/payment/repository.ts'
import { createPaymentService } from '../../services/payment/service.ts'
import type { TakePayment } from '../../shared/contracts/commands.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { openPaymentDatabase } from './payment-database.ts'

export const done = { outcome: 'done' }
export const rejected = (reason: string) => ({ outcome: 'rejected', reason })

export function take(
  purchaseId: string,
  body: Partial<TakePayment> = {},
  deadline?: number,
): Command<'takePayment'> {
  const id = commandId(purchaseId, 'take-payment')
  const whole = { customer_id: newId(), amount: 250, currency_code: 'VND', method: 'sim_ok' }
  return {
    name: 'takePayment',
    commandId: id,
    purchaseId,
    deadline,
    body: { ...whole, ...body },
  }
}

export function refund(purchaseId: string): Command<'refundPayment'> {
  const id = commandId(purchaseId, 'refund-payment')
  return { name: 'refundPayment', commandId: id, purchaseId, deadline: undefined, body: {} }
}

/** Runs `hook` around each function of `target`; it gets the name, that of a transaction with its number, and when. */
export function around<T extends object>(
  target: T,
  hook: (name: string, when: 'before' | 'after') => Promise<void> | void,
): T {
  let transactions = 0
  return new Proxy(target, {
    get(object, key) {
      const original: unknown = Reflect.get(object, key)
      if (typeof original !== 'function') return original
      return async (...args: unknown[]) => {
        const name = key === 'transaction' ? `${key} ${++transactions}` : String(key)
        await hook(name, 'before')
        const result = await original.apply(object, args)
        await hook(name, 'after')
        return result
      }
    },
  })
}

/** The commands of payment on a database of its own. A test may put something between them and what they use. */
export async function openPayments() {
  const { database, repository, simulator, close } = await openPaymentDatabase()

  function setUp({
    providerTimeoutMs = 30_000,
    openMs = 2_000,
    repositoryOf = (real: PaymentRepository) => real,
    providerOf = (real: PaymentProvider) => real,
  } = {}) {
    const { provider } = simulator
    const deps = {
      repository: repositoryOf(repository),
      provider: providerOf(provider),
      guard: createProviderGuard({
        slots: 64,
        timeoutMs: providerTimeoutMs,
        openMs,
        metrics: { registry: new Registry() },
      }),
      logger: pino({ level: 'silent' }),
    }
    return createCommandHandlers(createPaymentService(deps), createRefundSteps(deps))
  }

  async function statusOf(id: string) {
    const [row] = await database.query(`SELECT status FROM payments WHERE id = '${id}'`)
    return row?.status
  }

  const { ledgerOf } = simulator

  async function referenceOf(id: string) {
    const [row] = await database.query(`SELECT provider_reference FROM payments WHERE id = '${id}'`)
    return row?.provider_reference as string | null | undefined
  }

  /** The reply of a payment that was taken. */
  const taken = async (id: string) => ({
    outcome: 'done',
    provider_reference: await referenceOf(id),
  })

  /** After an undo that answered done: nothing is captured, and nothing can be any more. */
  async function assertGivenBack(id: string): Promise<void> {
    const entries = ledgerOf(id).join()
    assert.ok(['', 'VOID', 'CAPTURE,REFUND'].includes(entries), `ledger of ${id}: ${entries}`)
    const status = await statusOf(id)
    const statuses = entries === 'CAPTURE,REFUND' ? ['REFUNDED'] : [undefined, 'VOIDED', 'DECLINED']
    assert.ok(statuses.includes(status as string | undefined), `${status} with ${entries}`)
    const { takePayment } = setUp()
    assert.deepEqual(await takePayment(take(id)), rejected('undone'))
    assert.equal(ledgerOf(id).join(), entries)
  }

  return { database, simulator, setUp, statusOf, ledgerOf, taken, assertGivenBack, close }
}

export type TestPayments = Awaited<ReturnType<typeof openPayments>>

import { setTimeout as sleep } from 'node:timers/promises'
import type { Rejected, RejectionReason } from '../../shared/contracts/commands.ts'
import { type ListQuery, page } from '../../shared/contracts/list.ts'
import { AppError } from '../../shared/errors.ts'
import { NoReplyError } from '../../shared/faults.ts'
import { isExpired } from '../../shared/inbox.ts'
import type { Logger } from '../../shared/logger.ts'
import { minorUnits } from '../../shared/money.ts'
import type { Command } from '../../shared/participant.ts'
import {
  answerWithin,
  type CaptureResult,
  type Charge,
  type PaymentProvider,
  ProviderUnavailableError,
} from './provider.ts'
import type { Outcome, PaymentRepository, RefundReply, TakeReply } from './repository.ts'

const captureAttempts = 3
const firstRetryMs = 100

export type PaymentService = ReturnType<typeof createPaymentService>

/**
 * The money moves outside the database, so a command is two transactions around a call of the provider:
 *
 *     take    T1 claim, payment PENDING        capture(key)        T2 outcome + reply, unless undone
 *     refund  R1 tombstone on take, read       void or refund(key) R2 VOIDED or REFUNDED + reply
 *
 * No capture outlives an undo that answered done, wherever either stops, repeats or overlaps:
 *   - R1 and T1 insert the same inbox row. R1 first: T1 finds the tombstone and the provider is never called.
 *   - T1 first: R1 waits for it and then sees the payment. Unless T2 wrote that the provider declined it, which
 *     is for good, R2 is not reached before the provider said `voided` or `refunded`.
 *   - The provider takes the calls for one key in turn. Void first: it refuses the capture whenever that comes.
 *     Capture first: void answers `captured`, and the refund follows.
 *   - T2 locks the inbox row and writes nothing once R1 marked it, so CAPTURED never overwrites R2.
 */
export function createPaymentService({
  repository,
  provider,
  providerTimeoutMs,
  logger,
}: {
  repository: PaymentRepository
  provider: PaymentProvider
  providerTimeoutMs: number
  logger: Logger
}) {
  /** Null when the provider gave no answer, within the command's deadline. */
  async function capture(command: Command<'takePayment'>): Promise<CaptureResult | null> {
    const charge = chargeOf(command)
    for (let attempt = 1; attempt <= captureAttempts; attempt++) {
      const left = (command.deadline ?? Number.POSITIVE_INFINITY) - Date.now()
      if (left <= 0) return null
      try {
        return await answerWithin(Math.min(providerTimeoutMs, left), provider.capture(charge))
      } catch (err) {
        if (!(err instanceof ProviderUnavailableError)) throw err
        logger.warn({ err, purchase_id: command.purchaseId, attempt }, 'capture without answer')
      }
      if (attempt < captureAttempts) await sleep(firstRetryMs * 2 ** (attempt - 1))
    }
    return null
  }

  async function giveBack(key: string): Promise<'VOIDED' | 'REFUNDED'> {
    try {
      const { outcome } = await answerWithin(providerTimeoutMs, provider.void(key))
      if (outcome === 'voided') return 'VOIDED'
      await answerWithin(providerTimeoutMs, provider.refund(key))
      return 'REFUNDED'
    } catch (cause) {
      if (!(cause instanceof ProviderUnavailableError)) throw cause
      throw new NoReplyError('the provider did not give the money back', { cause })
    }
  }

  return {
    /**
     * Captures a payment. Without an answer of the provider the saga sends the command again until its time is
     * over; the payment then stays PENDING, and the undo finds out at the provider what became of it.
     */
    async takePayment(command: Command<'takePayment'>): Promise<TakeReply> {
      const { currency_code } = command.body
      if (!isCurrency(currency_code)) return repository.endTake(command, rejected('invalid'))
      if (isExpired(command)) return repository.endTake(command, rejected('expired'))
      const known = await repository.beginTake(command)
      if (known) return known
      const result = await capture(command)
      if (result) return repository.endTake(command, toReply(result), toOutcome(result))
      if (isExpired(command)) return repository.endTake(command, rejected('payment_unavailable'))
      throw new NoReplyError('the provider did not answer')
    },

    /** Voids or refunds whatever became of the do, and refuses it from now on. */
    async refundPayment(command: Command<'refundPayment'>): Promise<RefundReply> {
      const known = await repository.beginRefund(command)
      if (known) return known
      const status = await giveBack(command.purchaseId)
      logger.info({ purchase_id: command.purchaseId, status }, 'payment undone')
      return repository.endRefund(command, status)
    },

    async listPayments(customerId: string, { limit, cursor }: ListQuery) {
      return page(await repository.listPayments(customerId, limit + 1, cursor), limit)
    },

    async getPayment(customerId: string, id: string) {
      const found = await repository.findPayment(id)
      // A foreign payment is not told from a missing one.
      if (found?.customerId !== customerId) {
        throw new AppError('not_found', 'there is no such payment')
      }
      const { customerId: _, ...payment } = found
      return payment
    },
  }
}

function chargeOf({ purchaseId, body }: Command<'takePayment'>): Charge {
  const { amount, currency_code: currencyCode, method } = body
  return { key: purchaseId, amount, currencyCode, method }
}

function isCurrency(code: string): boolean {
  return code === code.toUpperCase() && minorUnits(code) !== undefined
}

function rejected(reason: RejectionReason): Rejected {
  return { outcome: 'rejected', reason }
}

function toReply(result: CaptureResult): TakeReply {
  if (result.outcome !== 'captured') return rejected('payment_declined')
  return { outcome: 'done', provider_reference: result.reference }
}

function toOutcome(result: CaptureResult): Outcome {
  switch (result.outcome) {
    case 'captured':
      return { status: 'CAPTURED', providerReference: result.reference }
    case 'declined':
      return { status: 'DECLINED', failureReason: result.reason }
    case 'voided':
      return { status: 'VOIDED' }
  }
}

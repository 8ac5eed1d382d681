import { setTimeout as sleep } from 'node:timers/promises'
import type { Rejected, RejectionReason, Reply } from '../../shared/contracts/commands.ts'
import { page } from '../../shared/contracts/list.ts'
import { minorUnits } from '../../shared/contracts/money.ts'
import type { PaymentListQuery } from '../../shared/contracts/payment.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import {
  claim,
  entomb,
  isExpired,
  refuse,
  repeatedReply,
  storedReply,
  storeReply,
} from '../../shared/messaging/inbox.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { toRefund } from './mapping.ts'
import {
  type CaptureResult,
  type Charge,
  type PaymentProvider,
  ProviderOverloadedError,
  ProviderUnavailableError,
} from './provider.ts'
import type { CallKind, Payer, ProviderGuard } from './provider-guard.ts'
import type { Outcome, PaymentRepository } from './repository.ts'

type TakeReply = Reply<'takePayment'> | Rejected
type RefundReply = Reply<'refundPayment'>

const done = { outcome: 'done' } as const
/** What became of a payment at the provider. */
type Taken =
  | Exclude<CaptureResult, { outcome: 'captured' }>
  | { outcome: 'captured'; reference: string }
/** A payment that is to be given back. Without a reference it never came to the provider. */
type Unreturned = Payer & { reference: string | null }

const maxShownRefunds = 20
const maxAttempts = 3
const firstRetryMs = 100
/** A provider that asks for more time is left to the next delivery. */
const maxPauseMs = 2_000
/** Sooner than this a command is not sent again. */
const redeliveryMs = 100

export type PaymentService = ReturnType<typeof createPaymentService>

/**
 * The money moves outside the database, so a command is three transactions around two calls of the provider:
 *
 *     take    T1 claim, payment PENDING    prepare(key)    T2 reference, unless undone
 *             capture(reference)           T3 outcome + reply, unless undone
 *     refund  R1 tombstone on take, read   void or refund(reference)   R2 VOIDED or REFUNDED + reply
 *
 * No capture outlives an undo that answered done, wherever either stops, repeats or overlaps:
 *   - Money moves by reference only, and only by the reference of the row: T2 keeps the first one.
 *   - R1, T1 and T2 lock the same inbox row. R1 before T1 or T2: these find the tombstone and nothing is captured. A
 *     charge that was prepared moves no money.
 *   - T2 first: R1 waits for it and then sees the reference. Unless T3 wrote that the provider declined it, which
 *     is for good, R2 is not reached before the provider said `voided` or `refunded`.
 *   - The provider takes the calls for one reference in turn. Void first: it refuses the capture whenever that comes.
 *     Capture first: void answers `captured`, and the refund follows.
 *   - T3 locks the inbox row and writes nothing once R1 marked it, so CAPTURED never overwrites R2.
 *
 * A command may name the reference, when a restored database has lost the row: then nothing is prepared, since the
 * provider keeps an idempotency key for a day only, and a second charge would be made after that.
 */
export function createPaymentService({
  repository,
  provider,
  guard,
  logger,
}: {
  repository: PaymentRepository
  provider: PaymentProvider
  guard: ProviderGuard
  logger: Logger
}) {
  /**
   * Asks until the provider answers, within the command's deadline and a few attempts. Null: it gave no answer.
   * One that says when it has time is not asked before.
   */
  async function ask<T>(
    kind: CallKind,
    command: Command<'takePayment'>,
    use: () => Promise<T>,
  ): Promise<T | null> {
    const payer = { customerId: command.body.customer_id, method: command.body.method }
    const left = () => (command.deadline ?? Number.POSITIVE_INFINITY) - Date.now()
    for (let attempt = 1; left() > 0; attempt++) {
      try {
        return await guard.call(kind, payer, use, left())
      } catch (err) {
        if (!(err instanceof ProviderUnavailableError)) throw err
        const fields = { err, purchase_id: command.purchaseId, call: kind, attempt }
        logger.warn(fields, 'provider call without answer')
        if (err instanceof ProviderOverloadedError || attempt === maxAttempts) return null
        const pauseMs = Math.max(err.retryAfterMs, firstRetryMs * 2 ** (attempt - 1))
        if (pauseMs > Math.min(left(), maxPauseMs)) return null
        // Different for each call, so that they do not all come back at once.
        await sleep(pauseMs * (1 + Math.random() / 4))
      }
    }
    return null
  }

  /** Null: the provider gave no answer. `answered`: an undo or a reply came meanwhile. */
  async function capture(
    command: Command<'takePayment'>,
  ): Promise<Taken | { outcome: 'answered' } | null> {
    const known = command.body.provider_reference
    const prepared = known
      ? ({ outcome: 'prepared', reference: known } as const)
      : await ask('prepare', command, () => provider.prepare(chargeOf(command)))
    if (prepared?.outcome !== 'prepared') return prepared
    const reference = await repository.keepReference(command, prepared.reference)
    if (!reference) return { outcome: 'answered' }
    const result = await ask('capture', command, () => provider.capture(reference))
    return result?.outcome === 'captured' ? { ...result, reference } : result
  }

  async function giveBack({ reference, ...payer }: Unreturned): Promise<'VOIDED' | 'REFUNDED'> {
    // Without a reference nothing can be captured any more.
    if (!reference) return 'VOIDED'
    try {
      const { outcome } = await guard.call('give_back', payer, () => provider.void(reference))
      if (outcome === 'voided') return 'VOIDED'
      await guard.call('give_back', payer, () => provider.refund(reference))
      return 'REFUNDED'
    } catch (cause) {
      if (!(cause instanceof ProviderUnavailableError)) throw cause
      throw new NoReplyError('the provider did not give the money back', { cause })
    }
  }

  /** T1. The reply if the command has one already. */
  async function beginTake(command: Command<'takePayment'>): Promise<TakeReply | null> {
    if (await repository.insertPayment(command)) return null
    return storedReply(repository.sql, command)
  }

  /** T3. An undo or a reply that came meanwhile wins. */
  async function endTake(command: Command<'takePayment'>, result: Taken) {
    const reply = toReply(result)
    if (await repository.settlePayment(command, reply, toOutcome(result))) return reply
    return repeatedReply(repository.sql, command)
  }

  /** R1. Leaves the tombstone for the do. What is to be given back still, and to whom; null when there is nothing. */
  function beginRefund(command: Command<'refundPayment'>): Promise<Unreturned | null> {
    return repository.transaction(async (tx) => {
      const { reply } = await claim(tx.sql, command)
      if (reply) return null
      await entomb(tx.sql, command)
      const payment = await tx.findPayment(command.purchaseId)
      if (payment?.status === 'PENDING' || payment?.status === 'CAPTURED') {
        const { customerId, method, providerReference: reference } = payment
        return { customerId, method, reference }
      }
      await storeReply(tx.sql, command, done)
      return null
    })
  }

  /** R2. */
  function endRefund(command: Command<'refundPayment'>, status: 'VOIDED' | 'REFUNDED') {
    return repository.transaction(async (tx) => {
      await tx.setStatus(command.purchaseId, status)
      await storeReply(tx.sql, command, done)
    })
  }

  return {
    /**
     * Captures a payment. Without an answer of the provider the saga sends the command again until its time is
     * over; the payment then stays PENDING, and the undo finds out at the provider what became of it.
     */
    async takePayment(command: Command<'takePayment'>): Promise<TakeReply> {
      const { sql } = repository
      if (!isCurrency(command.body.currency_code)) return refuse(sql, command, rejected('invalid'))
      if (isExpired(command)) return refuse(sql, command, rejected('expired'))
      const earlier = await beginTake(command)
      if (earlier) return earlier
      const result = await capture(command)
      if (result?.outcome === 'answered') return repeatedReply(sql, command)
      if (result) return endTake(command, result)
      if (isLastDelivery(command)) return refuse(sql, command, rejected('payment_unavailable'))
      throw new NoReplyError('the provider did not answer')
    },

    /** Voids or refunds whatever became of the do, and refuses it from now on. */
    async refundPayment(command: Command<'refundPayment'>): Promise<RefundReply> {
      const unreturned = await beginRefund(command)
      if (unreturned) {
        const status = await giveBack(unreturned)
        await endRefund(command, status)
        logger.info({ purchase_id: command.purchaseId, status }, 'payment undone')
      }
      return done
    },

    async listPayments(customerId: string, query: PaymentListQuery) {
      return page(await repository.listPayments(customerId, query), query.limit)
    },

    async getPayment(customerId: string, id: string) {
      const found = await repository.findPayment(id)
      // The payment of another customer looks like a missing one.
      if (found?.customerId !== customerId) {
        throw new AppError('not_found', 'there is no such payment')
      }
      const { customerId: _, ...payment } = found
      // Only what is captured can be refunded.
      const refunds =
        payment.status === 'CAPTURED'
          ? await repository.listRefunds({ paymentId: id, limit: maxShownRefunds - 1 })
          : []
      return { ...payment, refunds: refunds.map(toRefund) }
    },
  }
}

/** Whether no step waits any more for the reply to the next delivery. */
function isLastDelivery({ deadline = Number.POSITIVE_INFINITY }: Command<'takePayment'>): boolean {
  return deadline - Date.now() < redeliveryMs
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

function toReply(result: Taken): TakeReply {
  if (result.outcome !== 'captured') return rejected('payment_declined')
  return { outcome: 'done', provider_reference: result.reference }
}

function toOutcome(result: Taken): Outcome {
  switch (result.outcome) {
    case 'captured':
      return { status: 'CAPTURED' }
    case 'declined':
      return { status: 'DECLINED', failureReason: result.reason }
    case 'voided':
      return { status: 'VOIDED' }
  }
}

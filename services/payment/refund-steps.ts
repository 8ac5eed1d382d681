import type { Rejected, Reply } from '../../shared/contracts/commands.ts'
import { commandId } from '../../shared/contracts/ids.ts'
import { refundSteps } from '../../shared/contracts/steps.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import {
  answerOf,
  claim,
  entombId,
  storedReply,
  storeReply,
  untilDoneOnce,
} from '../../shared/messaging/inbox.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { type PaymentProvider, ProviderUnavailableError, type RefundResult } from './provider.ts'
import type { ProviderGuard } from './provider-guard.ts'
import type { StoredRefund } from './refund-repository.ts'
import type { PaymentRepository } from './repository.ts'

type ReturnReply = Reply<'returnMoney'>

const done = { outcome: 'done' } as const

/** The steps of the refund saga that payment takes. */
export function createRefundSteps({
  repository,
  provider,
  guard,
  logger,
}: {
  repository: Pick<PaymentRepository, 'transaction'>
  provider: Pick<PaymentProvider, 'refundPart'>
  guard: ProviderGuard
  logger: Logger
}) {
  /** The reply if the command has one already, or else the refund. One that payment does not know is refused. */
  function begin(
    command: Command<'returnMoney'>,
  ): Promise<{ reply: ReturnReply } | { refund: StoredRefund }> {
    return repository.transaction(async (tx) => {
      const { reply } = await claim(tx.sql, command)
      if (reply) return { reply }
      const refund = await tx.beginRefund(command.body.refund_id)
      if (refund?.payment.providerReference) return { refund }
      const refused: Rejected = { outcome: 'rejected', reason: 'invalid' }
      await storeReply(tx.sql, command, refused)
      return { reply: refused }
    })
  }

  async function askProvider({ id, amount, payment }: StoredRefund): Promise<RefundResult> {
    const { customerId, method, providerReference: reference } = payment
    const part = { amount: Number(amount), key: id }
    try {
      return await guard.call('give_back', { customerId, method }, () =>
        provider.refundPart(reference ?? '', part),
      )
    } catch (cause) {
      if (!(cause instanceof ProviderUnavailableError)) throw cause
      throw new NoReplyError('the provider did not give the money back', { cause })
    }
  }

  /** What the provider did is stored in any case; the reply only when no operator has closed the refund meanwhile. */
  function end(command: Command<'returnMoney'>, result: RefundResult): Promise<ReturnReply> {
    const { refund_id } = command.body
    const refunded = result.outcome === 'refunded'
    const reply: ReturnReply = refunded ? done : { outcome: 'rejected', reason: 'refund_refused' }
    return repository.transaction(async (tx) => {
      const answered = await tx.sql.$queryRaw<unknown[]>`${answerOf(command, reply)}`
      if (result.outcome === 'refunded') await tx.noteReturned(refund_id, result.reference)
      else await tx.noteRefused(refund_id, result.reason)
      if (answered.length === 1) return reply
      const stored = await storedReply(tx.sql, command)
      if (refunded && stored?.outcome === 'rejected') {
        const fields = { refund_id, purchase_id: command.purchaseId }
        logger.error(fields, 'money was returned although an operator had resolved the refund')
      }
      return stored ?? reply
    })
  }

  return {
    /**
     * Gives the money back, once: the provider knows the refund by its id. Without an answer of the provider the saga
     * sends the command again.
     */
    async returnMoney(command: Command<'returnMoney'>): Promise<ReturnReply> {
      const begun = await begin(command)
      if ('reply' in begun) return begun.reply
      return end(command, await askProvider(begun.refund))
    },

    /** Stores how a refund ended. One that an operator resolved gives no money back any more. */
    closeRefund(command: Command<'closeRefund'>): Promise<Reply<'closeRefund'>> {
      const { refund_id, status } = command.body
      return repository.transaction((tx) =>
        untilDoneOnce(tx.sql, command, async () => {
          if (status === 'RESOLVED') {
            await entombId(tx.sql, commandId(refund_id, refundSteps.returnMoney.step))
          }
          await tx.endRefund(refund_id, status)
          logger.info({ refund_id, purchase_id: command.purchaseId, status }, 'refund closed')
        }),
      )
    },
  }
}

export type RefundSteps = ReturnType<typeof createRefundSteps>

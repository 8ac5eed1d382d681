import { LRUCache } from 'lru-cache'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { PoisonError } from '../../shared/messaging/poison.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Seal } from '../../shared/runtime/seal.ts'
import { render } from './render.ts'
import { RefusedForNowError, type Transport } from './transport.ts'

const rememberedKeys = 10_000
/** A mail that waits holds up all later offsets, and a restart would read those again. */
const refusedForNowMs = 60 * 60_000

export type Sender = ReturnType<typeof createSender>

/**
 * Sends e-mails. Kafka may deliver a request twice, so the keys of recently sent e-mails are kept in memory. An e-mail
 * is sent twice only if the mail server's answer was lost, or if the process died between that answer and the commit of
 * the offset.
 */
export function createSender(deps: {
  transport: Pick<Transport, 'send'>
  seal: Pick<Seal, 'open'>
  from: string
  logger: Logger
}) {
  const sent = new LRUCache<string, true>({ max: rememberedKeys })
  const domain = domainOf(deps.from)

  return {
    /** `requestedAt`: epoch ms. What it throws decides whether it is retried: see `shared/database/failures.ts`. */
    async send(mail: EmailRequested, requestedAt: number): Promise<void> {
      const { key, to, template, data } = mail
      const about = {
        ...{ key, template },
        ...('purchase_id' in data && { purchase_id: data.purchase_id }),
      }
      if (sent.has(key)) {
        deps.logger.info(about, 'e-mail was sent before')
        return
      }
      try {
        const rendered = render(opened(mail, deps.seal))
        await deps.transport.send({ messageId: `<${key}@${domain}>`, to, ...rendered })
      } catch (error) {
        const late = Date.now() - requestedAt > refusedForNowMs
        if (!late || !(error instanceof RefusedForNowError)) throw error
        throw new PoisonError(error.message, { cause: error })
      }
      sent.set(key, true)
      deps.logger.info(about, 'e-mail sent')
    },
  }
}

/** Unseals the code or the address of an e-mail. What no key opens is poison: it can be replayed with the key. */
function opened(mail: EmailRequested, { open }: Pick<Seal, 'open'>): EmailRequested {
  try {
    switch (mail.template) {
      case 'verify-email':
      case 'reset-password':
        return { ...mail, data: { ...mail.data, code: open(mail.data.code, mail.key) } }
      case 'payment-refunded':
      case 'purchase-needs-attention':
        return mail
      default: {
        const { receipt } = mail.data
        if (!receipt?.delivery) return mail
        const delivery = open(receipt.delivery, mail.key)
        return { ...mail, data: { ...mail.data, receipt: { ...receipt, delivery } } } as typeof mail
      }
    }
  } catch (cause) {
    throw new PoisonError('a sealed part of the e-mail does not open: see CODE_SEALING_KEYS', {
      cause,
    })
  }
}

/** The domain of `Shop <no-reply@shop.example>` or of the bare address. */
function domainOf(from: string): string {
  return /@([^@\s>]+)>?$/.exec(from)?.[1] ?? ''
}

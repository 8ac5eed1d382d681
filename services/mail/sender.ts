import { LRUCache } from 'lru-cache'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { PoisonError } from '../../shared/faults.ts'
import type { Logger } from '../../shared/logger.ts'
import { render } from './render.ts'
import { RefusedForNowError, type Transport } from './transport.ts'

const rememberedKeys = 10_000
/** A mail that waits holds up the offsets behind it, and what is behind it would come again after a restart. */
const refusedForNowMs = 60 * 60_000

export type Sender = ReturnType<typeof createSender>

/**
 * Sends mails. Kafka may deliver a request twice, so the keys of what was sent lately are remembered; they are lost
 * with the process. A mail goes out twice only when the mail server's answer was lost, or when the process died
 * between that answer and the commit of the offset.
 */
export function createSender(deps: {
  transport: Pick<Transport, 'send'>
  from: string
  logger: Logger
}) {
  const sent = new LRUCache<string, true>({ max: rememberedKeys })
  const domain = domainOf(deps.from)

  return {
    /** `requestedAt`: epoch ms. What it throws decides whether there is another try: see `shared/faults.ts`. */
    async send(mail: EmailRequested, requestedAt: number): Promise<void> {
      const { key, to, template } = mail
      if (sent.has(key)) {
        deps.logger.info({ key, template }, 'mail was sent before')
        return
      }
      try {
        await deps.transport.send({ messageId: `<${key}@${domain}>`, to, ...render(mail) })
      } catch (error) {
        const late = Date.now() - requestedAt > refusedForNowMs
        if (!late || !(error instanceof RefusedForNowError)) throw error
        throw new PoisonError(error.message, { cause: error })
      }
      sent.set(key, true)
      deps.logger.info({ key, template }, 'mail sent')
    },
  }
}

/** The domain of `Shop <no-reply@shop.example>` or of the bare address. */
function domainOf(from: string): string {
  return /@([^@\s>]+)>?$/.exec(from)?.[1] ?? ''
}

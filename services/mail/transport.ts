import { createTransport } from 'nodemailer'
import { PoisonError } from '../../shared/faults.ts'
import type { Rendered } from './templates/letter.ts'

export type Transport = ReturnType<typeof connectTransport>
export type Letter = Rendered & { messageId: string; to: string }

/** What nodemailer says of a mail that was not taken. */
type SmtpError = Error & { responseCode?: number; command?: string }

/** The mail server answered, and its answer was about this recipient or this mail and not about us. */
const aboutTheMail = new Set<string | undefined>(['RCPT TO', 'DATA'])

/** The way out to the mail server, over a few connections that stay open while there is mail. */
export function connectTransport(config: { SMTP_URL: string; MAIL_FROM: string }) {
  const transport = createTransport({
    url: config.SMTP_URL,
    pool: true,
    // Whoever sends decides about the next try; the pool makes none of its own.
    maxRequeues: 0,
    // A mail holds what it was given, never what a path or an address in it points to.
    disableFileAccess: true,
    disableUrlAccess: true,
    connectionTimeout: 2_000,
    greetingTimeout: 2_000,
    socketTimeout: 10_000,
  })

  return {
    /**
     * Ends when the mail server has taken the mail. Throws PoisonError when it never will; everything else that is
     * thrown is worth another try.
     */
    async send({ messageId, to, subject, text, html }: Letter): Promise<void> {
      try {
        await transport.sendMail({
          from: config.MAIL_FROM,
          // As an object it is one address, whatever characters it has.
          to: { name: '', address: to },
          messageId,
          subject,
          text,
          html,
          headers: { 'Auto-Submitted': 'auto-generated' },
        })
      } catch (cause) {
        const { responseCode = 0, command } = cause as SmtpError
        if (!aboutTheMail.has(command) || responseCode < 400) throw cause
        const refusal = `the mail server refuses the mail with ${responseCode}`
        if (responseCode >= 500) throw new PoisonError(refusal, { cause })
        throw new RefusedForNowError(refusal, { cause })
      }
    },

    /** For `/health/ready`: greets the mail server and logs in. */
    answers: () => transport.verify(),
    close: () => transport.close(),
  }
}

/** The mail server is well and may take the mail later: a full mailbox, greylisting. */
export class RefusedForNowError extends Error {
  override name = 'RefusedForNowError'
}

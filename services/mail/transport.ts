import { connect, type Socket } from 'node:net'
import { createTransport } from 'nodemailer'
import { PoisonError } from '../../shared/messaging/poison.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { tracing } from '../../shared/runtime/tracing.ts'
import type { Rendered } from './templates/layout.ts'

export type Transport = ReturnType<typeof connectTransport>
export type Email = Rendered & { messageId: string; to: string }

/** The fields of nodemailer's error for a refused e-mail. */
type SmtpError = Error & { responseCode?: number; command?: string }

/** The mail server's answer is about this recipient or e-mail, and not about the sender. */
const aboutTheMail = new Set<string | undefined>(['RCPT TO', 'DATA'])

const smtp = { kind: 'client', attributes: { 'network.protocol.name': 'smtp' } } as const

const connectTimeoutMs = 2_000

/**
 * A connection to the mail server, whose address is looked up each time: nodemailer's own connections use an address
 * for five minutes, and a mail server that starts again in another container has a new one.
 */
function openSocket(
  { host, port, secure }: { host?: string; port?: number | string; secure?: boolean },
  done: (error: Error | null, socket?: { connection: Socket }) => void,
): void {
  const socket = connect({ host, port: Number(port ?? (secure ? 465 : 587)) })
  const deadline = setTimeout(() => {
    const error = new Error(`no connection within ${connectTimeoutMs} ms`)
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }))
  }, connectTimeoutMs)
  const failed = (error: Error) => {
    clearTimeout(deadline)
    done(error)
  }
  socket.once('error', failed)
  socket.once('connect', () => {
    clearTimeout(deadline)
    socket.off('error', failed)
    done(null, { connection: socket })
  })
}

/** The transport to the mail server, over a few connections that stay open while there is mail. */
export function connectTransport(config: { SMTP_URL: string; MAIL_FROM: string }) {
  const transport = createTransport({
    url: config.SMTP_URL,
    pool: true,
    // The caller decides about retries; the pool makes none.
    maxRequeues: 0,
    // An e-mail contains only the given text, never the content of a path or URL in it.
    disableFileAccess: true,
    disableUrlAccess: true,
    getSocket: openSocket,
    greetingTimeout: 2_000,
    socketTimeout: 10_000,
  })

  return {
    /**
     * Resolves when the mail server has accepted the e-mail. Throws PoisonError if it never will, and an outage if it
     * may accept it later.
     */
    async send({ messageId, to, subject, text, html }: Email): Promise<void> {
      const mail = {
        from: config.MAIL_FROM,
        // An object is always one address, whatever characters it has.
        to: { name: '', address: to },
        messageId,
        subject,
        text,
        html,
        headers: { 'Auto-Submitted': 'auto-generated' },
      }
      try {
        const traces = tracing()
        if (traces) await traces.span('smtp send', smtp, () => transport.sendMail(mail))
        else await transport.sendMail(mail)
      } catch (cause) {
        const { responseCode = 0, command } = cause as SmtpError
        if (responseCode < 400) throw cause
        if (!aboutTheMail.has(command)) {
          throw new AppError('unavailable', `the mail server answers ${responseCode}`, { cause })
        }
        const refusal = `the mail server refuses the mail with ${responseCode}`
        if (responseCode >= 500) throw new PoisonError(refusal, { cause })
        throw new RefusedForNowError(refusal, { cause })
      }
    },

    /** For `/health/ready`: greets the mail server and logs in. */
    isReachable: () => transport.verify(),
    close: () => transport.close(),
  }
}

/** The mail server works and may accept the e-mail later: a full mailbox, greylisting. */
export class RefusedForNowError extends AppError {
  constructor(refusal: string, options: { cause: unknown }) {
    super('unavailable', refusal, options)
  }
}

import { createTransport } from 'nodemailer'

/** The way out to the mail server, over a few connections that stay open while there is mail. */
export function connectTransport(config: { SMTP_URL: string }) {
  const transport = createTransport({
    url: config.SMTP_URL,
    pool: true,
    // A mail holds what it was given, never what a path or an address in it points to.
    disableFileAccess: true,
    disableUrlAccess: true,
    connectionTimeout: 2_000,
    greetingTimeout: 2_000,
    socketTimeout: 10_000,
  })

  return {
    /** For `/health/ready`: greets the mail server and logs in. */
    answers: () => transport.verify(),
    close: () => transport.close(),
  }
}

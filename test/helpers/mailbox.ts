import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from './stack.ts'

/** A mail as the mail catcher shows it. */
export type CaughtMail = {
  id: string
  subject: string
  text: string
  html: string
  headers: Record<string, string>
  from: { address: string; name: string }[]
  to: { address: string; name: string }[]
}

/** The e-mails of one address, in the order of their arrival. */
export async function mailsTo(address: string): Promise<CaughtMail[]> {
  const { urls } = await testStack()
  const response = await fetch(`${urls.mail}/api/email`)
  const mails = (await response.json()) as CaughtMail[]
  return mails.filter(({ to }) => to.some((recipient) => recipient.address === address))
}

/** A mail goes through an outbox, Kafka and SMTP, on a machine that may be busy. */
const arrivesWithinMs = 60_000

/** The e-mails of an address as soon as there are this many. */
export function waitForMails(address: string, count: number): Promise<CaughtMail[]> {
  const arrived = async () => {
    const mails = await mailsTo(address)
    return mails.length >= count && mails
  }
  return waitFor(`${count} mails to ${address}`, arrived, arrivesWithinMs)
}

/** The code in a mail. */
export function codeIn(mail: CaughtMail | undefined): string {
  const code = /^ {4}(\d{6})$/m.exec(mail?.text ?? '')?.[1]
  if (code === undefined) throw new Error(`no code in ${mail?.text}`)
  return code
}

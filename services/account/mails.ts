import type { AttentionNeeded, PurchaseEnded } from '../../shared/contracts/events.ts'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { newId } from '../../shared/ids.ts'

/** Whom a mail goes to. */
export type Addressee = { email: string; firstName: string }
export type CodeKind = 'verify' | 'reset'

const codeTemplates = { verify: 'verify-email', reset: 'reset-password' } as const

/** The mail with a code: each is a mail of its own. */
export function codeMail(
  kind: CodeKind,
  { email, firstName }: Addressee,
  code: string,
  ttlSeconds: number,
): EmailRequested {
  const template = codeTemplates[kind]
  const data = { first_name: firstName, code, minutes: Math.ceil(ttlSeconds / 60) }
  return { key: `${newId()}/${template}`, to: email, template, data }
}

/** The mail about the end of a purchase, one per purchase and kind; undefined when its end is not for a mail. */
export function purchaseMail(
  { purchase_id, status, reason }: PurchaseEnded,
  { email, firstName }: Addressee,
): EmailRequested | undefined {
  const about = (template: string) => ({ key: `${purchase_id}/${template}`, to: email })
  const data = { first_name: firstName, purchase_id }
  switch (status) {
    case 'COMPLETED': {
      const template = 'purchase-completed'
      return { ...about(template), template, data }
    }
    case 'REJECTED': {
      const template = 'purchase-rejected'
      return { ...about(template), template, data: { ...data, reason } }
    }
    case 'CANCELLED': {
      const template = 'purchase-cancelled'
      return { ...about(template), template, data }
    }
    case 'RESOLVED':
      // An operator closed it by hand, and tells the customer what came of it.
      return undefined
  }
}

/** The mail that tells an operator of a purchase: one, however often and for how many reasons it is flagged. */
export function attentionMail(
  { purchase_id, steps, reason }: AttentionNeeded,
  to: string,
): EmailRequested {
  const template = 'purchase-needs-attention'
  return { key: `${purchase_id}/${template}`, to, template, data: { purchase_id, steps, reason } }
}

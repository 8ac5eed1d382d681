import type { AttentionNeeded, PurchaseEnded, RefundEnded } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { EmailRequested, Receipt } from '../../shared/contracts/mail.ts'
import type { ReceiptMessage } from '../../shared/grpc/services.ts'
import type { Seal } from '../../shared/runtime/seal.ts'

/** Whom a mail goes to. */
export type Addressee = { email: string; firstName: string }
export type CodeKind = 'verify' | 'reset'

const codeTemplates = { verify: 'verify-email', reset: 'reset-password' } as const

/** The mail with a code, which is sealed for it: each is a mail of its own. */
export function codeMail(
  kind: CodeKind,
  { email, firstName }: Addressee,
  code: string,
  ttlSeconds: number,
  { seal }: Pick<Seal, 'seal'>,
): EmailRequested {
  const template = codeTemplates[kind]
  const key = `${newId()}/${template}`
  const minutes = Math.ceil(ttlSeconds / 60)
  const data = { first_name: firstName, code: seal(code, key), minutes }
  return { key, to: email, template, data }
}

/** Where mails lead: `PUBLIC_URL`, without a slash at its end. */
type Site = { publicUrl: string }

/** The mail about the end of a purchase, one per purchase and kind; undefined when its end is not for a mail. */
export function purchaseMail(
  { purchase_id, status, reason }: PurchaseEnded,
  { email, firstName }: Addressee,
  receipt: ReceiptMessage | undefined,
  { seal, publicUrl }: Pick<Seal, 'seal'> & Site,
): EmailRequested | undefined {
  const about = <T extends string>(template: T) => {
    const key = `${purchase_id}/${template}`
    const data = {
      first_name: firstName,
      purchase_id,
      link: `${publicUrl}/purchases/${purchase_id}`,
    }
    return {
      ...{ key, to: email, template },
      data: { ...data, ...(receipt && { receipt: toReceipt(receipt, receipt.lines, key, seal) }) },
    }
  }
  switch (status) {
    case 'COMPLETED':
      return about('purchase-completed')
    case 'REJECTED': {
      const mail = about('purchase-rejected')
      return { ...mail, data: { ...mail.data, reason } }
    }
    case 'CANCELLED':
      return about('purchase-cancelled')
    case 'RESOLVED':
      // An operator closed it by hand, and informs the customer.
      return undefined
  }
}

/** The mail about money that goes back, one per refund. */
export function refundMail(
  { refund_id, purchase_id, amount, currency_code }: RefundEnded,
  { email, firstName }: Addressee,
  { publicUrl }: Site,
): EmailRequested {
  const template = 'payment-refunded'
  return {
    ...{ key: `${refund_id}/${template}`, to: email, template },
    data: {
      ...{ first_name: firstName, purchase_id, amount, currency_code },
      link: `${publicUrl}/purchases/${purchase_id}`,
    },
  }
}

/** The mail to a seller about what was sold with a purchase, one per purchase and seller. */
export function soldMail(
  receipt: ReceiptMessage,
  { seller_id, product_ids }: ReceiptMessage['sales'][number],
  { email, firstName }: Addressee,
  { seal, publicUrl }: Pick<Seal, 'seal'> & Site,
): EmailRequested {
  const { purchase_id } = receipt
  const template = 'product-sold'
  const key = `${purchase_id}/${template}/${seller_id}`
  const own = receipt.lines.filter(({ product_id }) => product_ids.includes(product_id))
  const data = {
    ...{ first_name: firstName, purchase_id, link: `${publicUrl}/sales` },
    receipt: toReceipt(receipt, own, key, seal),
  }
  return { key, to: email, template, data }
}

function toReceipt(
  { currency_code, delivery }: ReceiptMessage,
  lines: ReceiptMessage['lines'],
  key: string,
  seal: Seal['seal'],
): Receipt {
  return {
    lines: lines.map(({ name, quantity, unit_price }) => ({ name, quantity, unit_price })),
    amount: lines.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price, 0),
    currency_code,
    delivery: delivery && seal(JSON.stringify(delivery), key),
  }
}

/** The e-mail to an operator about a purchase: one, however often and for how many reasons it is flagged. */
export function attentionMail(
  { purchase_id, steps, reason }: AttentionNeeded,
  to: string,
): EmailRequested {
  const template = 'purchase-needs-attention'
  return { key: `${purchase_id}/${template}`, to, template, data: { purchase_id, steps, reason } }
}

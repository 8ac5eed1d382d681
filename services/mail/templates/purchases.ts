import type { TemplateData } from '../../../shared/contracts/mail.ts'
import { minorUnits } from '../../../shared/contracts/money.ts'
import { PurchaseDelivery } from '../../../shared/contracts/purchase.ts'
import { layout, type Part, plainLine, type Rendered } from './layout.ts'

type AboutPurchase = TemplateData<'purchase-completed'>

/** What was bought, where it goes, and where to see it; of an e-mail of an older version nothing. */
function receiptParts({ receipt, link }: AboutPurchase, what = 'See the purchase'): Part[] {
  if (!receipt) return []
  const money = moneyIn(receipt.currency_code)
  const table = receipt.lines.map(({ name, quantity, unit_price }) => {
    return {
      text: `${quantity} × ${plainLine(name)}, ${money(unit_price)} each`,
      amount: money(quantity * unit_price),
    }
  })
  return [
    { table, total: money(receipt.amount) },
    ...(receipt.delivery === null ? [] : deliveryParts(receipt.delivery)),
    ...(link === undefined ? [] : [{ link: what, url: link }]),
  ]
}

function deliveryParts(json: string): Part[] {
  const { name, address, phone_number } = PurchaseDelivery.parse(JSON.parse(json))
  return ['Delivery to:', { address: [name, address, phone_number].map(plainLine) }]
}

/** Amounts in minor units, as `VND 250,000`. */
function moneyIn(currency: string): (amount: number) => string {
  const format = new Intl.NumberFormat('en', {
    ...{ style: 'currency', currency, currencyDisplay: 'code' },
    minimumFractionDigits: minorUnits(currency) ?? 0,
  })
  const unit = 10 ** (minorUnits(currency) ?? 0)
  return (amount) => format.format(amount / unit).replace(/\s/g, ' ')
}

export function purchaseCompleted(data: TemplateData<'purchase-completed'>): Rendered {
  return layout({
    subject: 'Your purchase is complete',
    to: data.first_name,
    parts: [
      `Thank you for your purchase ${data.purchase_id}. It is paid for, and the order is confirmed.`,
      ...receiptParts(data),
    ],
  })
}

/** The reasons that a customer can act on; every other reason is internal. */
const reasons: Record<string, string> = {
  out_of_stock: 'There was not enough of it in stock.',
  product_not_found: 'Something in it is not sold any more.',
  payment_declined: 'The payment was declined.',
  payment_unavailable: 'The payment could not be made just now.',
}

export function purchaseRejected(data: TemplateData<'purchase-rejected'>): Rendered {
  const reason = data.reason !== null && Object.hasOwn(reasons, data.reason) && reasons[data.reason]
  return layout({
    subject: 'Your purchase could not be made',
    to: data.first_name,
    parts: [
      `We are sorry: your purchase ${data.purchase_id} could not be made.`,
      reason || 'Something went wrong on our side.',
      'You pay nothing for it. A payment that was taken is given back.',
      ...receiptParts(withoutDelivery(data)),
    ],
  })
}

export function purchaseCancelled(data: TemplateData<'purchase-cancelled'>): Rendered {
  return layout({
    subject: 'Your purchase is cancelled',
    to: data.first_name,
    parts: [
      `Your purchase ${data.purchase_id} is cancelled, as you asked.`,
      'You pay nothing for it. A payment that was taken is given back.',
      ...receiptParts(withoutDelivery(data)),
    ],
  })
}

/** To a seller. Without a receipt there would be nothing to say, so account sends none. */
export function productSold(data: TemplateData<'product-sold'>): Rendered {
  return layout({
    subject: 'You sold something',
    to: data.first_name,
    parts: [
      `Purchase ${data.purchase_id} is paid for. This is your part of it:`,
      ...receiptParts(data, 'Open your seller pages'),
    ],
  })
}

/** A part of what was paid goes back, or all of it. */
export function paymentRefunded(data: TemplateData<'payment-refunded'>): Rendered {
  return layout({
    subject: 'You are getting money back',
    to: data.first_name,
    parts: [
      `${moneyIn(data.currency_code)(data.amount)} of your purchase ${data.purchase_id} is on its way back to you. Your bank may need some days to show it.`,
      { link: 'See the purchase', url: data.link },
    ],
  })
}

/** Nothing is delivered of a purchase that was not made. */
function withoutDelivery<T extends AboutPurchase>(data: T): T {
  return data.receipt ? { ...data, receipt: { ...data.receipt, delivery: null } } : data
}

/** The reasons for an operator; docs/operations.md says what to do. */
const attention: Record<string, string> = {
  undo_stuck:
    'Something that was done for it cannot be undone. It is tried again every 30 seconds.',
  undo_poisoned: 'A command that undoes something of it could not be read, and is in dead-letters.',
  refund_stuck: 'A step of a refund does not succeed. It is tried again every 30 seconds.',
  settlement_poisoned: 'It has ended, but a service could not take note of that.',
  saga_overdue: 'Its saga has been running for too long.',
  saga_broken: 'Its saga was ended from outside, and could not be restarted.',
}

export function purchaseNeedsAttention(data: TemplateData<'purchase-needs-attention'>): Rendered {
  const what = Object.hasOwn(attention, data.reason) && attention[data.reason]
  return layout({
    subject: `Purchase ${data.purchase_id} needs attention`,
    to: 'operator',
    parts: [
      `Purchase ${data.purchase_id} cannot go on by itself.`,
      what || data.reason,
      data.steps.length > 0 ? `Steps: ${data.steps.join(', ')}.` : 'No single step is named.',
      'docs/operations.md says what to do.',
    ],
  })
}

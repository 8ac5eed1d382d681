import type {
  PurchaseAccepted,
  PurchaseEnded,
  RefundRequested,
} from '../../../shared/contracts/events.ts'
import { formatAmount } from '../../../shared/contracts/money.ts'
import { apiPrefix } from '../../../shared/contracts/route.ts'
import {
  customerId,
  failedStep,
  failureReason,
  purchaseIdKey,
  purchaseStatus,
  refundStatus,
} from '../../../shared/contracts/search-attributes.ts'

/** The server takes 20,000 bytes of details; a purchase may have a hundred lines with names of 200 characters. */
const maxLines = 20
const maxNameLength = 60

/** What the Temporal Web UI lists and shows of a saga from its start. */
export function visibleStart(accepted: PurchaseAccepted, namespace: string) {
  const { customer_id, lines, amount, currency_code } = accepted
  const count = lines.length === 1 ? '1 line' : `${lines.length} lines`
  return {
    typedSearchAttributes: [
      { key: purchaseStatus, value: 'PROCESSING' },
      { key: customerId, value: customer_id },
    ],
    staticSummary: `${count}, ${formatAmount(amount, currency_code)}`,
    staticDetails: detailsOf(accepted, namespace),
  }
}

/** The same of a workflow that only announces how a purchase ended. */
export function visibleEnd({ customer_id, status, reason, failed_step }: PurchaseEnded) {
  return {
    typedSearchAttributes: [
      { key: purchaseStatus, value: status },
      ...(customer_id ? [{ key: customerId, value: customer_id }] : []),
      ...(failed_step ? [{ key: failedStep, value: failed_step }] : []),
      ...(reason ? [{ key: failureReason, value: reason }] : []),
    ],
    staticSummary: reason ? `${status}: ${reason}` : status,
  }
}

/** The query that leaves out what is no saga of a purchase. */
export const ofPurchases = "WorkflowType != 'refund'"

/** The same of a refund. The memo is for operators' requests, which name the purchase. */
export function visibleRefund(requested: RefundRequested) {
  const { refund_id, purchase_id, customer_id, seller_id, amount, currency_code } = requested
  const { product_ids } = requested
  const money = formatAmount(amount, currency_code)
  const restocked =
    product_ids.length === 0
      ? 'Nothing is put back'
      : `Put back: ${product_ids.map((id) => code(id)).join(', ')}`
  return {
    typedSearchAttributes: [
      { key: refundStatus, value: 'PROCESSING' },
      { key: purchaseIdKey, value: purchase_id },
      { key: customerId, value: customer_id },
    ],
    memo: { purchase_id },
    staticSummary: `Refund of ${money}`,
    staticDetails: [
      `Refund ${code(refund_id)} of ${money}, asked for by ${seller_id ? `the seller ${code(seller_id)}` : 'an operator'}`,
      '',
      restocked,
      '',
      `Purchase: ${code(purchase_id)}, customer: ${code(customer_id)}`,
      '',
      `API: ${code(`${apiPrefix}/refund-sagas/${refund_id}`)}, ${code(`${apiPrefix}/payments/${purchase_id}/refunds`)}`,
    ].join('\n'),
  }
}

/** Markdown. Names come from sellers, so they are shown as code, which cannot hold a link or an image. */
function detailsOf(accepted: PurchaseAccepted, namespace: string): string {
  const { purchase_id, customer_id, lines, amount, currency_code, payment_method } = accepted
  const shown = lines.slice(0, maxLines).map(({ quantity, name, unit_price }) => {
    return `- ${quantity} × ${code(name, maxNameLength)} at ${formatAmount(unit_price, currency_code)}`
  })
  const rest = lines.length - shown.length
  const query = encodeURIComponent(`${customerId.name}="${customer_id}"`)
  const sagas = `/namespaces/${namespace}/workflows?query=${query}`
  return [
    ...shown,
    ...(rest > 0 ? [`- and ${rest} more`] : []),
    '',
    `Amount: ${formatAmount(amount, currency_code)}, paid by ${code(payment_method)}`,
    '',
    `Customer: ${code(customer_id)} ([all sagas](${sagas}))`,
    '',
    `API: ${code(`${apiPrefix}/purchases/${purchase_id}`)}, ${code(`${apiPrefix}/sagas/${purchase_id}`)}`,
  ].join('\n')
}

function code(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const line = text.replace(/[`\s]+/g, ' ').trim()
  const short = line.length > maxLength ? `${[...line].slice(0, maxLength - 1).join('')}…` : line
  return `\`${short}\``
}

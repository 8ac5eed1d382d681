import { keptMoney, keptReferences } from './ledger-money.ts'
import { type Line, ledgerKinds, type PurchaseRecords, type PurchaseRow } from './records.ts'

/** What violates a check, in words. */
export type Problem = { check: string; what: string[] }

/** A purchase with everything that the services hold for it. */
type Known = PurchaseRecords & { purchase: PurchaseRow }

/** How long a captured payment may wait for its order to be confirmed; then the services' sweeps alarm. */
const overdueMs = 60_000
const unfinished = new Set(['ACCEPTED', 'PROCESSING'])
/** The only check that depends on time. */
export const overdueCheck = 'no settlement is overdue'

/** What every purchase must be, by the name of the check. Each tells what is wrong. */
const rules: Record<string, (known: Known, live: boolean) => string[]> = {
  'every accepted purchase has ended': ({ purchase }, live) =>
    live || hasEnded(purchase) ? [] : [`still ${purchase.status}`],
  'completed: confirmed, captured, sold': (known, live) =>
    known.purchase.status === 'COMPLETED' ? completedFindings(known, live) : [],
  'not completed: all undone': (known) =>
    hasEnded(known.purchase) && known.purchase.status !== 'COMPLETED' ? undoneFindings(known) : [],
  'amounts and lines agree': (known) => (hasEnded(known.purchase) ? amountFindings(known) : []),
  'one capture at most': captureFindings,
  'refunds: returned, put back, shown': refundFindings,
  [overdueCheck]: overdueFindings,
}
/** The check of what belongs to no purchase. */
export const strayCheck = 'nothing without its purchase'

/** Whether a purchase has reached one of its terminal states. */
export function hasEnded({ status }: { status: string }): boolean {
  return !unfinished.has(status)
}

/** The checks of single purchases, in the order in which they are reported. */
export const purchaseChecks = [...Object.keys(rules), strayCheck]

/** What is wrong with a purchase, by the names of checks. */
export function problemsOf(found: PurchaseRecords, live: boolean): Problem[] {
  const one = withoutReturned(found)
  if (!isKnown(one)) {
    const what = strayFindings(one)
    return what.length > 0 ? [{ check: strayCheck, what }] : []
  }
  return Object.entries(rules)
    .map(([check, find]) => ({ check, what: find(one, live) }))
    .filter(({ what }) => what.length > 0)
}

/** Without the charges beside that of the payment of which the provider has given everything back. */
function withoutReturned(one: PurchaseRecords): PurchaseRecords {
  const own = one.payment?.reference
  if (!own) return one
  const kept = keptMoney(one.ledger)
  const ledger = one.ledger.filter(
    ({ reference }) => reference === own || kept.get(reference) !== 0n,
  )
  return { ...one, ledger }
}

function isKnown(one: PurchaseRecords): one is Known {
  return one.purchase !== undefined
}

function completedFindings(known: Known, live: boolean): string[] {
  const { order, payment, holds } = known
  const { lines } = known.purchase
  // Order and product settle a moment after the purchase's row has its end; later the overdue check finds them.
  const settled = (status: string, before: string, after: string) =>
    status === after || (live && status === before)
  const kinds = kindsOf(known)
  const unsold = holds.filter(
    (hold) => hold.status !== 'RETURNED' && !settled(hold.status, 'HELD', 'SOLD'),
  )
  return [
    !settled(order?.status ?? 'missing', 'PENDING', 'CONFIRMED') &&
      `order ${order?.status ?? 'missing'}`,
    payment?.status !== 'CAPTURED' && `payment ${payment?.status ?? 'missing'}`,
    kinds !== 'CAPTURE' &&
      !(kinds === 'CAPTURE REFUND' && payment?.refunds.length) &&
      `ledger ${kinds || 'empty'}`,
    unsold.length > 0 && `holds ${unsold.map((hold) => hold.status).join(' ')}`,
    quantities(holds) !== quantities(lines) && 'holds are not the lines',
  ].filter((problem) => problem !== false)
}

function undoneFindings(known: Known): string[] {
  const { order, payment, holds, ledger } = known
  const { status } = known.purchase
  const sold = holds.some((hold) => hold.status === 'SOLD')
  // An operator resolved one undo that could not be done; the purchase must still not look completed.
  if (status === 'RESOLVED') {
    return [order?.status === 'CONFIRMED' && 'order CONFIRMED', sold && 'stock SOLD'].filter(
      (problem) => problem !== false,
    )
  }
  const kinds = kindsOf(known)
  const kept = holds.filter((hold) => hold.status !== 'RELEASED')
  // A payment that never came to the provider has no reference there.
  const expected = payment?.reference ? ledgerKinds[payment.status] : ''
  // Payment has no row of what it had undone before it saw it. What the provider did all the same was returned.
  const isReturned = !payment && known.hasTombstone && keptReferences(ledger).length === 0
  return [
    order && order.status !== 'CANCELLED' && `order ${order.status}`,
    payment &&
      !['DECLINED', 'REFUNDED', 'VOIDED'].includes(payment.status) &&
      `payment ${payment.status}`,
    kinds === 'CAPTURE' && 'ledger CAPTURE without REFUND',
    !isReturned &&
      kinds !== 'CAPTURE' &&
      expected !== undefined &&
      kinds !== expected &&
      `payment ${payment?.status ?? 'missing'} but ledger ${kinds || 'empty'}`,
    kept.length > 0 && `holds ${kept.map((hold) => hold.status).join(' ')}`,
  ].filter((problem) => typeof problem === 'string')
}

function amountFindings({ purchase, order, payment, ledger }: Known): string[] {
  const amount = money(purchase)
  const { lines } = purchase
  const currency = amount.split(' ')[1] ?? ''
  const others = [
    ['lines', total(lines, currency)],
    ...(order
      ? [
          ['order', money(order)],
          ['order lines', total(order.lines, currency)],
        ]
      : []),
    ...(payment ? [['payment', money(payment)]] : []),
    // A refund of a completed purchase may be a part of it: another check adds those up.
    ...ledger
      .filter(({ kind }) => kind === 'CAPTURE' || (kind === 'REFUND' && !payment?.refunds.length))
      .map((row) => [row.kind, money(row)]),
  ]
  return [
    ...others
      .filter(([, other]) => other !== amount)
      .map(([of, other]) => `${of} ${other} of ${amount}`),
    ...(order && prices(order.lines) !== prices(lines) ? ['order has other lines'] : []),
  ]
}

function captureFindings({ ledger, payment }: Known): string[] {
  const count = (wanted: string) => ledger.filter(({ kind }) => kind === wanted).length
  const others = ledger.filter(
    ({ kind, reference }) => kind === 'CAPTURE' && payment && payment.reference !== reference,
  )
  return [
    ...['CAPTURE', 'REFUND']
      .filter((kind) => count(kind) > 1)
      .map((kind) => `${kind} ${count(kind)} times`),
    ...others.map(({ reference }) => `captured as ${reference}, not as ${payment?.reference}`),
  ]
}

/**
 * What refunds gave back is in the provider's ledger, on the payment and on the purchase; and stock is back exactly
 * where a refund that ended says so.
 */
function refundFindings(known: Known, live: boolean): string[] {
  const { purchase, payment, ledger, holds } = known
  const refunds = payment?.refunds ?? []
  const open = refunds.filter(({ status }) => status === 'REQUESTED' || status === 'PROCESSING')
  const sum = (some: typeof refunds) => some.reduce((all, { amount }) => all + BigInt(amount), 0n)
  const returned = sum(refunds.filter((refund) => refund.returned))
  const listed = BigInt(ledger.find(({ kind }) => kind === 'REFUND')?.amount ?? 0)
  const wrong = refunds.filter(
    ({ status, returned }) =>
      (status === 'COMPLETED' && !returned) || (status === 'FAILED' && returned),
  )
  const asked = new Set(
    refunds.filter(({ status }) => status !== 'FAILED').flatMap((refund) => refund.product_ids),
  )
  const due = new Set(
    refunds.filter(({ status }) => status === 'COMPLETED').flatMap((refund) => refund.product_ids),
  )
  const late = holds.filter(({ product_id, status }) => due.has(product_id) && status === 'SOLD')
  const unasked = holds.filter(
    ({ product_id, status }) => status === 'RETURNED' && !asked.has(product_id),
  )
  // In a shop that works it may have completed, and been refunded, since its row was read.
  const mayBeCompleted = purchase.status === 'COMPLETED' || (live && !hasEnded(purchase))
  const problems = [
    refunds.length > 0 && !mayBeCompleted && `refund of a purchase that is ${purchase.status}`,
    `${returned}` !== (payment?.refunded ?? '0') &&
      `payment shows ${payment?.refunded} refunded, its refunds ${returned}`,
    returned > BigInt(payment?.amount ?? 0) && `refunded ${returned} of ${payment?.amount}`,
    // The ledger is read last: while one is under way, it may be ahead.
    refunds.length > 0 && listed < returned && `ledger REFUND ${listed}, refunds ${returned}`,
    ...wrong.map(({ id, status }) => `refund ${id} ${status} and the money is not as it says`),
  ]
  const settled = [
    open.length > 0 && `${open.length} refunds are open`,
    refunds.length > 0 && listed > returned && `ledger REFUND ${listed}, refunds ${returned}`,
    late.length > 0 && 'stock SOLD after a refund that puts it back',
    unasked.length > 0 && 'stock RETURNED that no refund puts back',
    BigInt(purchase.refunded) !== returned &&
      `purchase shows ${purchase.refunded} refunded, its refunds ${returned}`,
  ]
  // The databases are read one after the other: in a shop that works, a refund may end in between.
  return [...problems, ...(live ? [] : settled)].filter((problem) => problem !== false)
}

/**
 * A charge of which nothing is kept is no finding alone: what a restore of all databases has lost is known to the
 * provider only, and was returned.
 */
function strayFindings({ order, payment, holds, ledger }: PurchaseRecords): string[] {
  const isReturned = keptReferences(ledger).length === 0
  if (!order && !payment && holds.length === 0 && isReturned) return []
  const things = [
    order && 'an order',
    payment && 'a payment',
    holds.length > 0 && 'a hold',
    ledger.length > 0 && 'a ledger entry',
  ].filter((thing) => typeof thing === 'string')
  return [`has ${things.join(', ')} and no purchase`]
}

function overdueFindings({ order, payment, holds }: Known): string[] {
  if (payment?.status !== 'CAPTURED') return []
  const late = holds.some((hold) => hold.status === 'HELD' && hold.age_ms > overdueMs)
  return [
    order?.status === 'PENDING' &&
      order.age_ms > overdueMs &&
      'captured, order PENDING for a minute',
    late && 'captured, stock HELD for a minute',
  ].filter((problem) => problem !== false)
}

/** What the provider did for a purchase, in its order, each kind once; another check finds repeats. */
function kindsOf({ ledger }: Known): string {
  return [...new Set(ledger.map(({ kind }) => kind))].join(' ')
}

function quantities(lines: { product_id: string; quantity: number }[]): string {
  return lines
    .map(({ product_id, quantity }) => `${product_id} ${quantity}`)
    .sort()
    .join()
}

function prices(lines: Line[]): string {
  return lines
    .map((line) => `${quantities([line])} ${line.unit_price}`)
    .sort()
    .join()
}

function money({ amount, currency_code }: { amount: string; currency_code: string }): string {
  return `${amount} ${currency_code}`
}

function total(lines: Line[], currency: string): string {
  const sum = lines.reduce((all, line) => all + BigInt(line.quantity) * BigInt(line.unit_price), 0n)
  return `${sum} ${currency}`
}

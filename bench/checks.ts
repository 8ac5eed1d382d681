import type { Saga } from './sagas.ts'
import type { HoldRow, LedgerRow, Line, OrderRow, PaymentRow, Snapshot } from './snapshot.ts'

/** One invariant and what was found. `detail` has a line per finding when it does not hold. */
export type Check = { name: string; ok: boolean; detail: string; purchaseIds: string[] }

/** Something that must not be, and the purchases that it touches. */
type Finding = { purchaseIds: string[]; what: string }

export type CheckOptions = {
  /** The shop is at work: what has not ended yet, or ended just now, is no finding. */
  live?: boolean
}

/** How long a captured payment may wait for its order to be confirmed; then the services' sweeps alarm. */
const overdueMs = 60_000
const maxNamed = 20

/** The one check that is about time. */
export const overdueCheck = 'no settlement is overdue'

const unfinished = new Set(['ACCEPTED', 'PROCESSING'])
/** What a payment's status says about the provider's ledger. */
const ledgerOf: Record<string, string> = {
  CAPTURED: 'CAPTURE',
  DECLINED: '',
  REFUNDED: 'CAPTURE REFUND',
  VOIDED: 'VOID',
}

/** A purchase with everything that the services hold for it. */
type Joined = {
  id: string
  status: string
  amount: string
  lines: Line[]
  order: OrderRow | undefined
  payment: PaymentRow | undefined
  ledger: LedgerRow[]
  holds: HoldRow[]
}

/** Whether a purchase has reached one of its terminal states. */
export function hasEnded({ status }: { status: string }): boolean {
  return !unfinished.has(status)
}

/** Makes a check of what was found; `summary` is its detail when that is nothing. */
export function toCheck(name: string, findings: Finding[], summary: string): Check {
  const lines = findings.slice(0, maxNamed).map(({ what }) => what)
  const more = findings.length - lines.length
  const detail = more > 0 ? [...lines, `and ${more} more`] : lines
  return {
    name,
    ok: findings.length === 0,
    detail: detail.join('\n') || summary,
    purchaseIds: [...new Set(findings.flatMap(({ purchaseIds }) => purchaseIds))],
  }
}

/** Compares what the databases and the ledger say of products and purchases (I1 to I3). Reads nothing. */
export function checkSnapshot(snapshot: Snapshot, { live = false }: CheckOptions = {}): Check[] {
  const purchases = join(snapshot)
  const ended = purchases.filter(hasEnded)
  const completed = ended.filter(({ status }) => status === 'COMPLETED')
  const undone = ended.filter(({ status }) => status !== 'COMPLETED')
  const open = live ? [] : purchases.filter((purchase) => !hasEnded(purchase))
  const tellAll = (all: Joined[], find: (purchase: Joined) => string[]) =>
    all.flatMap((purchase) => tell(purchase.id, find(purchase)))

  return [
    toCheck(
      'stock adds up',
      stockFindings(snapshot),
      `${snapshot.products.length} products, ${snapshot.holds.length} holds`,
    ),
    toCheck(
      'every accepted purchase has ended',
      tellAll(open, ({ status }) => [`still ${status}`]),
      `${ended.length} of ${purchases.length}`,
    ),
    toCheck(
      'completed: confirmed, captured, sold',
      tellAll(completed, (purchase) => completedFindings(purchase, live)),
      `${completed.length} purchases`,
    ),
    toCheck(
      'not completed: all undone',
      tellAll(undone, undoneFindings),
      `${undone.length} purchases`,
    ),
    toCheck('amounts and lines agree', tellAll(ended, amountFindings), `${ended.length} purchases`),
    toCheck(
      'one capture at most',
      tellAll(purchases, captureFindings),
      `${snapshot.ledger.length} ledger entries`,
    ),
    toCheck('nothing without its purchase', strayFindings(snapshot), 'no strays'),
    toCheck(overdueCheck, tellAll(purchases, overdueFindings), 'none'),
  ]
}

/** Compares how purchases ended with how their sagas did. */
export function checkSagas(
  purchases: Snapshot['purchases'],
  sagas: Map<string, Saga>,
  { live = false }: CheckOptions = {},
): Check {
  const ended = purchases.filter(hasEnded)
  const findings = ended.flatMap(({ id, status }) => {
    const { state, result } = sagas.get(id) ?? { state: 'missing' }
    if (live && state === 'RUNNING') return []
    if (state !== 'COMPLETED') return tell(id, [`${status}, saga ${state}`])
    return result === status ? [] : tell(id, [`${status}, saga returned ${result}`])
  })
  return toCheck('sagas returned what purchases show', findings, `${ended.length} sagas`)
}

function join(snapshot: Snapshot): Joined[] {
  const orders = new Map(snapshot.orders.map((row) => [row.id, row]))
  const payments = new Map(snapshot.payments.map((row) => [row.id, row]))
  const ledger = Map.groupBy(snapshot.ledger, (row) => row.key)
  const holds = Map.groupBy(snapshot.holds, (row) => row.purchase_id)
  return snapshot.purchases.map((row) => ({
    id: row.id,
    status: row.status,
    amount: money(row),
    lines: row.lines,
    order: orders.get(row.id),
    payment: payments.get(row.id),
    ledger: ledger.get(row.id) ?? [],
    holds: holds.get(row.id) ?? [],
  }))
}

function tell(id: string, problems: string[]): Finding[] {
  return problems.length === 0 ? [] : [{ purchaseIds: [id], what: `${id} ${problems.join(', ')}` }]
}

function stockFindings({ products, holds }: Snapshot): Finding[] {
  const byProduct = Map.groupBy(holds, (hold) => hold.product_id)
  return products.flatMap(({ id, received, stock, held, sold }) => {
    const own = byProduct.get(id) ?? []
    const sum = (status: string) =>
      own.filter((hold) => hold.status === status).reduce((all, hold) => all + hold.quantity, 0)
    const problems = [
      received !== stock + held + sold && `received ${received} is not stock + held + sold`,
      Math.min(received, stock, held, sold) < 0 && 'something is negative',
      held !== sum('HELD') && `${sum('HELD')} in HELD holds`,
      sold !== sum('SOLD') && `${sum('SOLD')} in SOLD holds`,
    ].filter((problem) => problem !== false)
    if (problems.length === 0) return []
    const counts = `stock ${stock}, held ${held}, sold ${sold}`
    const purchaseIds = [...new Set(own.map((hold) => hold.purchase_id))]
    const buyers = purchaseIds.slice(0, maxNamed).join(' ')
    const what = `product ${id} (${counts}): ${problems.join(', ')}; bought by ${buyers || 'nobody'}`
    return [{ purchaseIds, what }]
  })
}

function completedFindings(purchase: Joined, live: boolean): string[] {
  const { order, payment, lines, holds } = purchase
  // Order and product hear of the end a moment after the purchase's row does; past that the overdue check tells.
  const settled = (status: string, before: string, after: string) =>
    status === after || (live && status === before)
  const kinds = kindsOf(purchase)
  const unsold = holds.filter((hold) => !settled(hold.status, 'HELD', 'SOLD'))
  return [
    !settled(order?.status ?? 'missing', 'PENDING', 'CONFIRMED') &&
      `order ${order?.status ?? 'missing'}`,
    payment?.status !== 'CAPTURED' && `payment ${payment?.status ?? 'missing'}`,
    kinds !== 'CAPTURE' && `ledger ${kinds || 'empty'}`,
    unsold.length > 0 && `holds ${unsold.map((hold) => hold.status).join(' ')}`,
    quantities(holds) !== quantities(lines) && 'holds are not the lines',
  ].filter((problem) => problem !== false)
}

function undoneFindings(purchase: Joined): string[] {
  const { status, order, payment, holds } = purchase
  const sold = holds.some((hold) => hold.status === 'SOLD')
  // An operator answered for one undo that could not be done; no purchase may look bought for all that.
  if (status === 'RESOLVED') {
    return [order?.status === 'CONFIRMED' && 'order CONFIRMED', sold && 'stock SOLD'].filter(
      (problem) => problem !== false,
    )
  }
  const kinds = kindsOf(purchase)
  const kept = holds.filter((hold) => hold.status !== 'RELEASED')
  const expected = payment ? ledgerOf[payment.status] : ''
  return [
    order && order.status !== 'CANCELLED' && `order ${order.status}`,
    payment &&
      !['DECLINED', 'REFUNDED', 'VOIDED'].includes(payment.status) &&
      `payment ${payment.status}`,
    kinds === 'CAPTURE' && 'ledger CAPTURE without REFUND',
    kinds !== 'CAPTURE' &&
      expected !== undefined &&
      kinds !== expected &&
      `payment ${payment?.status ?? 'missing'} but ledger ${kinds || 'empty'}`,
    kept.length > 0 && `holds ${kept.map((hold) => hold.status).join(' ')}`,
  ].filter((problem) => typeof problem === 'string')
}

function amountFindings({ amount, lines, order, payment, ledger }: Joined): string[] {
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
    ...ledger.filter(({ kind }) => kind !== 'VOID').map((row) => [row.kind, money(row)]),
  ]
  return [
    ...others
      .filter(([, other]) => other !== amount)
      .map(([of, other]) => `${of} ${other} of ${amount}`),
    ...(order && prices(order.lines) !== prices(lines) ? ['order has other lines'] : []),
  ]
}

function captureFindings({ ledger }: Joined): string[] {
  const count = (wanted: string) => ledger.filter(({ kind }) => kind === wanted).length
  return ['CAPTURE', 'REFUND']
    .filter((kind) => count(kind) > 1)
    .map((kind) => `${kind} ${count(kind)} times`)
}

function strayFindings({ purchaseIds, orders, payments, holds, ledger }: Snapshot): Finding[] {
  const known = new Set(purchaseIds)
  const owners = [
    ...orders.map(({ id }) => ['an order', id] as const),
    ...payments.map(({ id }) => ['a payment', id] as const),
    ...holds.map(({ purchase_id }) => ['a hold', purchase_id] as const),
    ...ledger.map(({ key }) => ['a ledger entry', key] as const),
  ]
  const strays = owners.filter(([, id]) => !known.has(id))
  return [...Map.groupBy(strays, ([, id]) => id)].flatMap(([id, things]) =>
    tell(id, [`has ${[...new Set(things.map(([what]) => what))].join(', ')} and no purchase`]),
  )
}

function overdueFindings({ order, payment, holds }: Joined): string[] {
  if (payment?.status !== 'CAPTURED') return []
  const late = holds.some((hold) => hold.status === 'HELD' && hold.age_ms > overdueMs)
  return [
    order?.status === 'PENDING' &&
      order.age_ms > overdueMs &&
      'captured, order PENDING for a minute',
    late && 'captured, stock HELD for a minute',
  ].filter((problem) => problem !== false)
}

/** What the provider did for a purchase, in its order, each kind once: repeats are another check's business. */
function kindsOf({ ledger }: Joined): string {
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

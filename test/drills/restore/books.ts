import { connectDatabase } from '../../../scripts/backup/databases.ts'
import type { Part } from '../../../scripts/backup/restore.ts'
import type { StackInfo } from '../../../scripts/stack/client.ts'

type Payment = { status: string; reference: string | null; amount: string; refunded: string }

/** What the databases say of every purchase, by its id. */
export type Books = {
  purchases: Map<string, string>
  /** What purchases show as given back, in minor units. */
  refunded: Map<string, string>
  orders: Map<string, string>
  payments: Map<string, Payment>
  /** The states of what it holds. */
  holds: Map<string, string[]>
}

const isOpen = (status: string | undefined) => status === 'ACCEPTED' || status === 'PROCESSING'

/** Read without the reconciler, to judge it. */
export async function readBooks(stack: Pick<StackInfo, 'ports' | 'secrets'>): Promise<Books> {
  async function read<T>(database: string, text: string): Promise<T[]> {
    const client = await connectDatabase(stack, database)
    try {
      return (await client.query(text)).rows as T[]
    } finally {
      await client.end()
    }
  }
  type Row = { id: string; status: string }
  const purchases = await read<Row & { refunded: string }>(
    'purchase_db',
    'SELECT id, status, refunded_amount AS refunded FROM purchases',
  )
  const orders = await read<Row>('order_db', 'SELECT id, status FROM orders')
  const payments = await read<Row & Payment>(
    'payment_db',
    `SELECT id, status, provider_reference AS reference, amount, refunded_amount AS refunded
     FROM payments`,
  )
  const holds = await read<{ id: string; states: string[] }>(
    'product_db',
    'SELECT purchase_id AS id, array_agg(status) AS states FROM holds GROUP BY purchase_id',
  )
  const byId = (rows: Row[]) => new Map(rows.map(({ id, status }) => [id, status]))
  return {
    purchases: byId(purchases),
    refunded: new Map(purchases.map(({ id, refunded }) => [id, refunded])),
    orders: byId(orders),
    payments: new Map(payments.map(({ id, ...payment }) => [id, payment])),
    holds: new Map(holds.map(({ id, states }) => [id, states])),
  }
}

/** What the sweeps have still to do: they settle what is paid for, and find out what became of payments. */
export function isHealing({ purchases, orders, payments, holds }: Books): boolean {
  const unsettled = [...purchases].some(
    ([id, status]) =>
      isOpen(status) ||
      (status === 'COMPLETED' &&
        (orders.get(id) === 'PENDING' || holds.get(id)?.includes('HELD') === true)),
  )
  const unknown = [...payments.values()].some(
    ({ status, reference }) => status === 'PENDING' && reference !== null,
  )
  return unsettled || unknown
}

type Restored = { before: Books; restored: Books }

/** How each part differs after its restore, by purchase, when the sweeps have done what they can. */
const differs: Partial<Record<Part | 'all', (id: string, books: Restored) => boolean>> = {
  order(id, { before, restored }) {
    const order = restored.orders.get(id)
    return before.purchases.get(id) === 'COMPLETED' ? order === undefined : order === 'PENDING'
  },
  product(id, { before, restored }) {
    const holds = restored.holds.get(id)
    if (before.purchases.get(id) !== 'COMPLETED') return holds?.includes('HELD') === true
    return holds === undefined || returnedOf(holds) !== returnedOf(before.holds.get(id))
  },
  payment(id, { before, restored }) {
    const [was, is] = [before.payments.get(id), restored.payments.get(id)]
    if (!was) return false
    if (!is) return was.reference !== null
    if (is.refunded !== was.refunded) return true
    if (is.status === 'PENDING') return is.reference === null
    return is.status === 'CAPTURED' && was.status !== 'CAPTURED'
  },
  purchase: (id, { before, restored }) =>
    !restored.purchases.has(id) || restored.refunded.get(id) !== before.refunded.get(id),
  all(id, { before, restored }) {
    const [was, is] = [before.payments.get(id), restored.payments.get(id)]
    if (restored.purchases.has(id)) return was?.refunded !== is?.refunded
    return before.purchases.get(id) === 'COMPLETED' && was?.refunded !== was?.amount
  },
}

const returnedOf = (holds: string[] = []) => holds.filter((status) => status === 'RETURNED').length

/** The purchases that the reconciler must name. */
export function expectedToDiffer(part: Part | 'all', books: Restored): Set<string> {
  const ids = [...books.before.purchases.keys()]
  return new Set(ids.filter((id) => differs[part]?.(id, books)))
}

/** Purchases that were under way at the moment of the backup. Restored whole, each may end in its own way. */
export function underWay({ purchases }: Books): Set<string> {
  return new Set([...purchases].filter(([, status]) => isOpen(status)).map(([id]) => id))
}

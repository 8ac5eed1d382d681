import { Pool } from 'pg'
import { PurchaseAccepted } from '../shared/contracts/events.ts'
import type { RecordUrls } from './records.ts'

/** To each database, for all purchases that are repaired at once. */
const connections = 4

type InboxRow = { command_id: string; answer: string | null; undone: boolean }
/** What a participant has answered: `done`, or why not; null: nothing yet. */
export type Answer = { outcome: string | null; undone: boolean }

export type RepairRecords = ReturnType<typeof connectRepairRecords>

/** What a repair needs to know besides: what was bought, and what participants have answered. It only reads. */
export function connectRepairRecords(urls: RecordUrls) {
  const open = new AsyncDisposableStack()
  const connect = (url: string) => {
    const options = '-c default_transaction_read_only=on'
    const pool = new Pool({ connectionString: url, max: connections, options })
    // A server that ends an idle connection is reported here; a query fails on its own.
    pool.on('error', () => undefined)
    open.defer(() => pool.end())
    return pool
  }
  const purchase = connect(urls.purchase)
  const product = connect(urls.product)
  const inboxes = [product, connect(urls.order), connect(urls.payment)]

  return {
    /** The answers to these commands, by command id: those that an inbox knows. */
    async answersTo(commandIds: string[]): Promise<Map<string, Answer>> {
      const text = `SELECT command_id, undone, coalesce(reply ->> 'reason', reply ->> 'outcome') AS answer
        FROM inbox WHERE command_id = ANY($1)`
      const found = new Map<string, Answer>()
      for (const inbox of inboxes) {
        const { rows } = await inbox.query<InboxRow>(text, [commandIds])
        for (const { command_id, answer, undone } of rows) {
          found.set(command_id, { outcome: answer, undone })
        }
      }
      return found
    },

    /** Those of these products that are not there. */
    async lostProducts(ids: string[]): Promise<Set<string>> {
      if (ids.length === 0) return new Set()
      const text = 'SELECT id FROM products WHERE id = ANY($1::uuid[])'
      const { rows } = await product.query<{ id: string }>(text, [ids])
      return new Set(ids).difference(new Set(rows.map(({ id }) => id)))
    },

    /** A purchase as it was accepted. Throws when it is not there. */
    async acceptedOf(id: string): Promise<PurchaseAccepted> {
      const { rows } = await purchase.query(
        `SELECT id AS purchase_id, customer_id, lines, amount::float8 AS amount, currency_code, payment_method
         FROM purchases WHERE id = $1`,
        [id],
      )
      return PurchaseAccepted.parse(rows[0])
    },

    close: () => open.disposeAsync(),
  }
}

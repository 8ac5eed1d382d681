import { Client } from 'pg'
import { PurchaseAccepted } from '../shared/contracts/events.ts'
import type { RecordUrls } from './records.ts'

const participants = ['product', 'order', 'payment'] as const

type InboxRow = { command_id: string; answer: string | null; undone: boolean }
/** What a participant has answered: `done`, or why not; null: nothing yet. */
export type Answer = { outcome: string | null; undone: boolean }

export type RepairRecords = Awaited<ReturnType<typeof connectRepairRecords>>

/** What a repair needs to know besides: what was bought, and what participants have answered. It only reads. */
export async function connectRepairRecords(urls: RecordUrls) {
  await using starting = new AsyncDisposableStack()
  const connect = async (url: string) => {
    const options = '-c default_transaction_read_only=on'
    const client = new Client({ connectionString: url, options })
    client.on('error', () => undefined)
    await client.connect()
    starting.defer(() => client.end())
    return client
  }
  const purchase = await connect(urls.purchase)
  const inboxes: Client[] = []
  for (const name of participants) inboxes.push(await connect(urls[name]))
  const open = starting.move()

  return {
    /** The answers to these commands, by command id: those that an inbox knows. */
    async answersTo(commandIds: string[]): Promise<Map<string, Answer>> {
      const text = `SELECT command_id, undone, coalesce(reply ->> 'reason', reply ->> 'outcome') AS answer
        FROM inbox WHERE command_id = ANY($1)`
      const found = new Map<string, Answer>()
      for (const client of inboxes) {
        const { rows } = await client.query<InboxRow>(text, [commandIds])
        for (const { command_id, answer, undone } of rows) {
          found.set(command_id, { outcome: answer, undone })
        }
      }
      return found
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

import { DatabaseSync } from 'node:sqlite'
import { Client } from 'pg'
import { nilId } from '../../shared/contracts/ids.ts'

type Row = { id: string; amount: string; status: string; reference: string; refunded: string }

/** Rows that one transaction writes: the provider waits for it. */
const batch = 10_000
const busyTimeoutMs = 10_000

/** Writes into the simulated provider's books what the payments of a filled shop say that it did. */
export async function fillProvider(paymentUrl: string, books: string): Promise<void> {
  await using open = new AsyncDisposableStack()
  const client = open.adopt(new Client({ connectionString: paymentUrl }), (it) => it.end())
  const db = open.adopt(new DatabaseSync(books, { timeout: busyTimeoutMs }), (it) => it.close())
  await client.connect()
  const insert = db.prepare(`
    INSERT INTO intents (id, amount, currency, status, metadata, charge, refunded, created)
    VALUES (?, ?, 'vnd', ?, ?, ?, ?, 0)`)
  let last: string = nilId
  for (;;) {
    const { rows } = await client.query<Row>(
      `SELECT id, amount, status, provider_reference AS reference, refunded_amount AS refunded FROM payments
       WHERE id > $1 AND provider_reference IS NOT NULL ORDER BY id LIMIT ${batch}`,
      [last],
    )
    db.exec('BEGIN IMMEDIATE')
    for (const { id, amount, status, reference, refunded } of rows) {
      const captured = status === 'CAPTURED'
      const metadata = JSON.stringify({ purchase_id: id })
      const charge = captured ? reference.replace('pi_', 'ch_') : null
      const state = captured ? 'succeeded' : 'canceled'
      insert.run(reference, Number(amount), state, metadata, charge, Number(refunded))
    }
    db.exec('COMMIT')
    if (rows.length < batch) return
    last = rows.at(-1)?.id ?? last
  }
}

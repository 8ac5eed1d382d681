import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { hasEnded } from './rules.ts'

/** The state of a purchase; after its end, `updated_at` is when the purchase service wrote the end. */
export type EndRow = { id: string; status: string; updated_at: Date }

/** A count of one customer's rows by index takes about a millisecond, which does not disturb the measurement. */
const pollMs = 250
const singlePollMs = 10
/** After all purchases are posted: how long to wait for the next one to end. */
const defaultPatienceMs = 300_000

export type Ends = Awaited<ReturnType<typeof connectEnds>>

/**
 * Tells when purchases ended. The times come from the rows, which are read once at the end; the polling interval only
 * decides when the phase is over.
 */
export async function connectEnds(purchaseUrl: string, patienceMs = defaultPatienceMs) {
  const database = new Client({ connectionString: purchaseUrl })
  await database.connect()

  async function countRows(customerId: string) {
    const { rows } = await database.query<{ ended: number; unfinished: number }>(
      `SELECT count(*) FILTER (WHERE status NOT IN ('ACCEPTED', 'PROCESSING'))::int AS ended,
         count(*) FILTER (WHERE status IN ('ACCEPTED', 'PROCESSING'))::int AS unfinished
       FROM purchases WHERE customer_id = $1`,
      [customerId],
    )
    return rows[0] ?? { ended: 0, unfinished: 0 }
  }

  return {
    /**
     * Returns when all posted purchases of a customer have ended, or none has ended for too long. Throws the error of
     * the posting.
     */
    async waitForAll(
      customerId: string,
      posting: Promise<unknown>,
      onProgress: (ended: number) => void,
    ): Promise<void> {
      let allPosted = false
      let failed: unknown
      let endedBefore = 0
      let movedAt = Date.now()
      posting.then(
        () => {
          allPosted = true
          movedAt = Date.now()
        },
        (error) => {
          failed = error
        },
      )
      for (;;) {
        if (failed) throw failed
        // Read before the rows are counted, so that no purchase is added after the count.
        const isComplete = allPosted
        const { ended, unfinished } = await countRows(customerId)
        if (ended > endedBefore) movedAt = Date.now()
        endedBefore = ended
        onProgress(ended)
        if (isComplete && (unfinished === 0 || Date.now() - movedAt > patienceMs)) return
        await sleep(pollMs)
      }
    },

    /** Returns when one purchase has ended. Throws after the deadline. */
    async waitForOne(id: string): Promise<void> {
      const deadline = Date.now() + patienceMs
      for (;;) {
        const { rows } = await database.query<{ status: string }>(
          'SELECT status FROM purchases WHERE id = $1',
          [id],
        )
        if (rows[0] && hasEnded(rows[0])) return
        if (Date.now() > deadline) throw new Error(`purchase ${id} has not ended`)
        await sleep(singlePollMs)
      }
    },

    async readAll(customerId: string): Promise<Map<string, EndRow>> {
      const { rows } = await database.query<EndRow>(
        'SELECT id, status, updated_at FROM purchases WHERE customer_id = $1',
        [customerId],
      )
      return new Map(rows.map((row) => [row.id, row]))
    },

    close: () => database.end(),
  }
}

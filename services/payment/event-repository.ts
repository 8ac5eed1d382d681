import { PrismaClient } from '../../prisma/payment/client/client.ts'
import type { EventsQuery, ProviderEvent } from '../../shared/contracts/payment.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { inRange } from '../../shared/database/list-range.ts'
import { connectDatabase } from '../../shared/database/prisma.ts'
import { sql } from '../../shared/database/sql.ts'

/** What an event says, in our words. `amount` is in minor units, `createdAt` the provider's time. */
export type ReportedEvent = {
  id: string
  type: string
  reference: string
  amount: number
  currencyCode: string
  createdAt: Date
}

export type EventOutcome = ProviderEvent['outcome']

export type EventRepository = Awaited<ReturnType<typeof connectEventRepository>>

const purgeBatch = 1_000

/** The inbox row of the do, beside the payment that the reference names. No row of `known`: it names none of ours. */
const known = (reference: string) => sql`
  SELECT payments.id, payments.status, payments.amount, payments.currency_code, refunds_claimed, inbox.command_id,
    coalesce(inbox.undone, false) AS undone, inbox.reply IS NOT NULL AS answered
  FROM payments LEFT JOIN inbox
    ON inbox.command_id = payments.id::text || ${`/${commandSteps.takePayment.step}`}
  WHERE payments.provider_reference = ${reference}`

/** The events that the provider reports, each once. */
export async function connectEventRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /**
     * Stores that a charge was captured. A payment that waits for this becomes CAPTURED with its reply, in the same
     * statement, unless its undo came first. Null: the event is known already.
     */
    async recordCapture(event: ReportedEvent): Promise<EventOutcome | null> {
      const { id, type, reference, amount, currencyCode, createdAt } = event
      const reply = JSON.stringify({ outcome: 'done', provider_reference: reference })
      const [row] = await prisma.$queryRaw<{ outcome: EventOutcome }[]>`
        WITH known AS (${known(reference)}), event AS (
          INSERT INTO provider_events (id, type, reference, payment_id, amount, outcome, created_at)
          SELECT ${id}, ${type}, ${reference}, known.id, ${amount}::bigint, CASE
              WHEN known.id IS NULL OR known.amount <> ${amount}::bigint
                OR known.currency_code <> ${currencyCode} THEN 'OUTSIDE'
              WHEN known.status = 'PENDING' AND NOT undone AND NOT answered THEN 'SETTLED'
              ELSE 'KNOWN'
            END, ${createdAt}
          FROM (VALUES (1)) AS one LEFT JOIN known ON true
          ON CONFLICT (id) DO NOTHING RETURNING outcome
        ), answered AS (
          UPDATE inbox SET reply = ${reply}::jsonb FROM known, event
          WHERE event.outcome = 'SETTLED' AND inbox.command_id = known.command_id
            AND inbox.reply IS NULL AND NOT inbox.undone
          RETURNING known.id
        ), captured AS (
          UPDATE payments SET status = 'CAPTURED', updated_at = now() FROM answered WHERE payments.id = answered.id
        )
        SELECT outcome FROM event`
      return row?.outcome ?? null
    },

    /**
     * Stores a refund or a dispute. A refund of a payment that is being undone is ours, and one that makes no more of
     * the charge refunded than our own refunds ask for. Null as above.
     */
    async recordReversal(event: ReportedEvent): Promise<EventOutcome | null> {
      const { id, type, reference, amount, createdAt } = event
      const [row] = await prisma.$queryRaw<{ outcome: EventOutcome }[]>`
        WITH known AS (${known(reference)})
        INSERT INTO provider_events (id, type, reference, payment_id, amount, outcome, created_at)
        SELECT ${id}, ${type}, ${reference}, known.id, ${amount}::bigint, CASE
            WHEN ${type === 'charge.refunded'} AND (undone OR known.status = 'REFUNDED'
                OR ${amount}::bigint <= known.refunds_claimed) THEN 'KNOWN'
            ELSE 'OUTSIDE'
          END, ${createdAt}
        FROM (VALUES (1)) AS one LEFT JOIN known ON true
        ON CONFLICT (id) DO NOTHING RETURNING outcome`
      return row?.outcome ?? null
    },

    /**
     * A page: those received last first. Those of a time are in the order of their times, which are the provider's, so
     * that an index finds them.
     */
    async listEvents({ outcome, limit, cursor, ...time }: EventsQuery) {
      const inTime = time.created_from !== undefined || time.created_to !== undefined
      const seq = cursor === undefined ? undefined : BigInt(cursor)
      const before = inTime && seq && (await prisma.providerEvent.findUnique({ where: { seq } }))
      const { createdAt } = inRange(time)
      const rows = await prisma.providerEvent.findMany({
        where: { createdAt, ...(outcome && { outcome }), ...(seq && after(seq, before || null)) },
        orderBy: inTime ? [{ createdAt: 'desc' }, { seq: 'desc' }] : { seq: 'desc' },
        take: limit + 1,
      })
      const items = rows.slice(0, limit)
      const last = items.at(-1)
      return {
        items: items.map((row) => ({
          id: row.id,
          type: row.type,
          reference: row.reference,
          payment_id: row.paymentId,
          amount: row.amount === null ? null : Number(row.amount),
          outcome: row.outcome as EventOutcome,
          created_at: row.createdAt.toISOString(),
          received_at: row.receivedAt.toISOString(),
        })),
        next_cursor: rows.length > limit && last ? `${last.seq}` : null,
      }
    },

    /** Removes old events that said nothing new; what was made outside stays. */
    async purgeEvents(retentionSeconds: number): Promise<void> {
      await prisma.$executeRaw`
        DELETE FROM provider_events WHERE seq IN (
          SELECT seq FROM (
            SELECT seq, received_at FROM provider_events WHERE outcome <> 'OUTSIDE' ORDER BY seq LIMIT ${purgeBatch}
          ) AS oldest
          WHERE received_at < now() - make_interval(secs => ${retentionSeconds}::int))`
    },

    close: () => prisma.$disconnect(),
  }
}

/** What comes after an event in a list: `last` if the list is in the order of times. */
function after(seq: bigint, last: { createdAt: Date } | null) {
  if (!last) return { seq: { lt: seq } }
  const { createdAt } = last
  // The first of them bounds what the index reads.
  return {
    AND: [
      { createdAt: { lte: createdAt } },
      { OR: [{ createdAt: { lt: createdAt } }, { seq: { lt: seq } }] },
    ],
  }
}

import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

export type IntentStatus =
  | 'requires_payment_method'
  | 'requires_confirmation'
  | 'succeeded'
  | 'canceled'

/** A payment intent with the one charge that it can have. Amounts are minor units, times are seconds. */
export type Intent = {
  id: string
  amount: number
  currency: string
  payment_method: string | null
  status: IntentStatus
  metadata: Record<string, string>
  charge: string | null
  refunded: number
  disputed: boolean
  /** The decline code of the last attempt. */
  failure: string | null
  /** Calls that failed on purpose. */
  failed_calls: number
  created: number
  canceled_at: number | null
}

export type Refund = {
  id: string
  intent: string
  amount: number
  metadata: Record<string, string>
  created: number
}

/** What an Idempotency-Key was answered. */
export type StoredAnswer = { fingerprint: string; status: number; body: string }

/** An event that its receiver has not confirmed yet. */
export type Delivery = { id: string; body: string; attempts: number }

/** A list is newest first: `startingAfter` continues it, `endingBefore` gives what is newer. */
export type Page = {
  limit: number
  startingAfter?: string | undefined
  endingBefore?: string | undefined
}

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS intents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL, payment_method TEXT, status TEXT NOT NULL, metadata TEXT NOT NULL, charge TEXT UNIQUE,
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount), disputed INTEGER NOT NULL DEFAULT 0,
    failure TEXT, failed_calls INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, canceled_at INTEGER,
    CHECK ((status = 'succeeded') = (charge IS NOT NULL))
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, intent TEXT NOT NULL REFERENCES intents (id),
    amount INTEGER NOT NULL CHECK (amount > 0), metadata TEXT NOT NULL, created INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS refunds_intent ON refunds (intent);
  CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS answers_created ON answers (created);
  CREATE TABLE IF NOT EXISTS deliveries (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS deliveries_next ON deliveries (next_ms);`

const busyTimeoutMs = 5_000

export const newProviderId = (prefix: string) => `${prefix}_${randomBytes(12).toString('hex')}`
export const nowSeconds = () => Math.floor(Date.now() / 1_000)

export type Ledger = ReturnType<typeof openLedger>

/**
 * The provider's own books, in one SQLite file. Every call is synchronous, so requests take effect one after the
 * other, and what was answered survives a kill of the process.
 */
export function openLedger(file: string) {
  // Another process, such as a test, may write what the provider would have done.
  const db = new DatabaseSync(file, { timeout: busyTimeoutMs })
  db.exec(schema)
  const sql = {
    insertIntent: db.prepare(`
      INSERT INTO intents (id, amount, currency, payment_method, status, metadata, created)
      VALUES (:id, :amount, :currency, :payment_method, :status, :metadata, :created)`),
    updateIntent: db.prepare(`
      UPDATE intents SET status = :status, charge = :charge, refunded = :refunded, disputed = :disputed,
        failure = :failure, failed_calls = :failed_calls, canceled_at = :canceled_at WHERE id = :id`),
    intent: db.prepare('SELECT * FROM intents WHERE id = ?'),
    intentOfCharge: db.prepare('SELECT * FROM intents WHERE charge = ?'),
    intents: db.prepare('SELECT * FROM intents WHERE seq < :seq ORDER BY seq DESC LIMIT :limit'),
    newerIntents: db.prepare('SELECT * FROM intents WHERE seq > :seq ORDER BY seq LIMIT :limit'),
    seqOf: db.prepare('SELECT seq FROM intents WHERE id = ?'),
    insertRefund: db.prepare(`
      INSERT INTO refunds (id, intent, amount, metadata, created) VALUES (:id, :intent, :amount, :metadata, :created)`),
    refunds: db.prepare(
      'SELECT * FROM refunds WHERE intent = :intent AND seq < :seq ORDER BY seq DESC LIMIT :limit',
    ),
    seqOfRefund: db.prepare('SELECT seq FROM refunds WHERE id = ?'),
    answer: db.prepare('SELECT fingerprint, status, body FROM answers WHERE key = ?'),
    insertAnswer: db.prepare('INSERT INTO answers VALUES (?, ?, ?, ?, ?)'),
    dropAnswers: db.prepare('DELETE FROM answers WHERE created < ?'),
    insertDelivery: db.prepare('INSERT INTO deliveries (id, body, next_ms) VALUES (?, ?, ?)'),
    dueDeliveries: db.prepare(
      'SELECT id, body, attempts FROM deliveries WHERE next_ms <= ? ORDER BY next_ms LIMIT ?',
    ),
    nextDelivery: db.prepare('SELECT min(next_ms) AS next FROM deliveries'),
    postpone: db.prepare('UPDATE deliveries SET attempts = attempts + 1, next_ms = ? WHERE id = ?'),
    dropDelivery: db.prepare('DELETE FROM deliveries WHERE id = ?'),
  }

  return {
    /** Runs `work` in one transaction. */
    transaction<T>(work: () => T): T {
      db.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        db.exec('COMMIT')
        return result
      } catch (error) {
        db.exec('ROLLBACK')
        throw error
      }
    },

    insertIntent(
      values: Pick<Intent, 'amount' | 'currency' | 'payment_method' | 'metadata'>,
    ): Intent {
      const id = newProviderId('pi')
      const status = values.payment_method ? 'requires_confirmation' : 'requires_payment_method'
      const metadata = JSON.stringify(values.metadata)
      sql.insertIntent.run({ ...values, id, status, metadata, created: nowSeconds() })
      return toIntent(sql.intent.get(id)) as Intent
    },

    updateIntent({ id, status, charge, refunded, disputed, failure, ...rest }: Intent): void {
      const { failed_calls, canceled_at } = rest
      const values = { id, status, charge, refunded, failure, failed_calls, canceled_at }
      sql.updateIntent.run({ ...values, disputed: Number(disputed) })
    },

    findIntent: (id: string) => toIntent(sql.intent.get(id)),
    findIntentOfCharge: (charge: string) => toIntent(sql.intentOfCharge.get(charge)),

    /** Newest first. Undefined when there is no intent of the cursor. */
    listIntents({ limit, startingAfter, endingBefore }: Page) {
      const cursor = startingAfter ?? endingBefore
      const start = cursor === undefined ? undefined : sql.seqOf.get(cursor)
      if (cursor !== undefined && !start) return undefined
      const seq = (start?.seq as number | undefined) ?? Number.MAX_SAFE_INTEGER
      const newer = startingAfter === undefined && endingBefore !== undefined
      const rows = (newer ? sql.newerIntents : sql.intents).all({ seq, limit: limit + 1 })
      const intents = rows.slice(0, limit).flatMap((row) => toIntent(row) ?? [])
      return { intents: newer ? intents.reverse() : intents, hasMore: rows.length > limit }
    },

    insertRefund(values: Pick<Refund, 'intent' | 'amount' | 'metadata'>): Refund {
      const refund = { ...values, id: newProviderId('re'), created: nowSeconds() }
      sql.insertRefund.run({ ...refund, metadata: JSON.stringify(refund.metadata) })
      return refund
    },

    /** Of one intent, newest first. Undefined when there is no refund of the cursor. */
    listRefunds(intent: string, { limit, startingAfter }: Pick<Page, 'limit' | 'startingAfter'>) {
      const start = startingAfter === undefined ? undefined : sql.seqOfRefund.get(startingAfter)
      if (startingAfter !== undefined && !start) return undefined
      const seq = (start?.seq as number | undefined) ?? Number.MAX_SAFE_INTEGER
      const rows = sql.refunds.all({ intent, seq, limit: limit + 1 })
      return { refunds: rows.slice(0, limit).map(toRefund), hasMore: rows.length > limit }
    },

    findAnswer: (key: string) => sql.answer.get(key) as StoredAnswer | undefined,
    storeAnswer(key: string, { fingerprint, status, body }: StoredAnswer): void {
      sql.insertAnswer.run(key, fingerprint, status, body, nowSeconds())
    },
    /** Idempotency keys live for a day, as Stripe's do. */
    dropOldAnswers: () => void sql.dropAnswers.run(nowSeconds() - 24 * 60 * 60),

    addDelivery: (id: string, body: string, atMs: number) =>
      void sql.insertDelivery.run(id, body, atMs),
    dueDeliveries: (limit: number) =>
      sql.dueDeliveries.all(Date.now(), limit) as unknown as Delivery[],
    /** When the first delivery is or was due; undefined when there is none. */
    nextDeliveryMs: () => (sql.nextDelivery.get()?.next as number | null) ?? undefined,
    postponeDelivery: (id: string, atMs: number) => void sql.postpone.run(atMs, id),
    dropDelivery: (id: string) => void sql.dropDelivery.run(id),

    close: () => db.close(),
  }
}

function toIntent(row: Record<string, unknown> | undefined): Intent | undefined {
  if (!row) return undefined
  const { metadata, disputed, ...rest } = row as Omit<Intent, 'metadata' | 'disputed'> & {
    metadata: string
    disputed: number
  }
  return { ...rest, disputed: disputed === 1, metadata: JSON.parse(metadata) }
}

function toRefund(row: Record<string, unknown>): Refund {
  const { metadata, ...rest } = row as Omit<Refund, 'metadata'> & { metadata: string }
  return { ...rest, metadata: JSON.parse(metadata) }
}

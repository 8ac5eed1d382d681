import { DatabaseSync } from 'node:sqlite'
import type Stripe from 'stripe'
import { connectStripe } from '../services/payment/stripe-provider.ts'
import { inParallel } from './in-parallel.ts'

/** Where the payment provider is, and with which key it is asked. */
export type ProviderAddress = { url: string; key: string }

/** What the provider did with one payment intent. Amounts are minor units as text, as in the other tables. */
export type LedgerRow = {
  /** The purchase's id; that of the intent where the provider was told none. */
  key: string
  /** The id of the intent. */
  reference: string
  kind: 'CAPTURE' | 'REFUND' | 'VOID'
  amount: string
  currency_code: string
}

/** Keys in their order, from one exclusive to another inclusive; or some keys. */
type Scope = { after?: string | undefined; upTo?: string | undefined } | { ids: string[] }

const timeoutMs = 10_000
const pageSize = 100
const callsAtOnce = 4
/** After every key: ids are ASCII. */
const lastKey = '\u{10ffff}'
const expand = ['data.latest_charge']

/** A page of the provider's list, newest first: what was made before one intent, or after it. */
export const listIntents = (
  stripe: Pick<Stripe, 'paymentIntents'>,
  cursor: Pick<Stripe.PaymentIntentListParams, 'starting_after' | 'ending_before'> = {},
) => stripe.paymentIntents.list({ limit: pageSize, expand, ...cursor })

export type ProviderLedger = ReturnType<typeof connectProviderLedger>

/**
 * A copy of the provider's own list, in a temporary file: the list is in the order of its making and cannot be read by
 * purchase. An intent that moved nothing has no row.
 */
export function connectProviderLedger({ url, key }: ProviderAddress) {
  const { stripe, close } = connectStripe({ url, key, timeoutMs, connections: callsAtOnce })
  // Without a name it is a file that nobody else sees, and that is gone when it is closed.
  const db = new DatabaseSync('')
  db.exec(`CREATE TABLE rows (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL, reference TEXT NOT NULL, kind TEXT NOT NULL, amount TEXT NOT NULL,
    currency_code TEXT NOT NULL) STRICT;
    CREATE INDEX rows_key ON rows (key); CREATE INDEX rows_reference ON rows (reference)`)
  const insert = db.prepare(`INSERT INTO rows (key, reference, kind, amount, currency_code)
    VALUES (:key, :reference, :kind, :amount, :currency_code)`)
  const remove = db.prepare('DELETE FROM rows WHERE reference = ?')
  const columns = 'SELECT key, reference, kind, amount, currency_code FROM rows'
  // By the index: otherwise each batch would read the whole list, which is in the order of `seq`.
  const byKey = `${columns} INDEXED BY rows_key WHERE key <= ?`
  const upTo = db.prepare(`${byKey} ORDER BY seq`)
  const between = db.prepare(`${byKey} AND key > ? ORDER BY seq`)
  const of = db.prepare(`${columns} WHERE key = ? ORDER BY seq`)
  let newest: string | undefined

  function store(intents: Stripe.PaymentIntent[]): void {
    db.exec('BEGIN')
    for (const intent of intents) {
      remove.run(intent.id)
      for (const row of rowsOf(intent)) insert.run(row)
    }
    db.exec('COMMIT')
  }

  return {
    /** Reads what the provider has listed since the last call; in the first call all of it. */
    async refresh(): Promise<void> {
      let older: string | undefined
      for (let more = true; more; ) {
        const cursor =
          newest && !older ? { ending_before: newest } : older ? { starting_after: older } : {}
        const { data, has_more } = await listIntents(stripe, cursor)
        store(data)
        more = has_more
        const reading = older !== undefined || newest === undefined
        if (!older && data[0]) newest = data[0].id
        if (reading) older = data.at(-1)?.id
      }
    },

    /** Asks again for single intents, which may have changed since they were listed. */
    async renew(references: string[]): Promise<void> {
      const intents = await inParallel(references, callsAtOnce, async (reference) => {
        try {
          return await stripe.paymentIntents.retrieve(reference, { expand: ['latest_charge'] })
        } catch (error) {
          if ((error as { code?: string }).code !== 'resource_missing') throw error
          // The provider does not know it: then it has no row.
          remove.run(reference)
          return undefined
        }
      })
      store(intents.filter((intent) => intent !== undefined))
    },

    select(scope: Scope): LedgerRow[] {
      if ('ids' in scope) return scope.ids.flatMap((id) => of.all(id) as LedgerRow[])
      const { after, upTo: last = lastKey } = scope
      return (after === undefined ? upTo.all(last) : between.all(last, after)) as LedgerRow[]
    },

    close(): void {
      close()
      db.close()
    },
  }
}

function rowsOf(intent: Stripe.PaymentIntent): LedgerRow[] {
  const { id, status, amount, amount_received, currency, latest_charge, metadata } = intent
  const base = {
    key: metadata.purchase_id ?? id,
    reference: id,
    currency_code: currency.toUpperCase(),
  }
  const row = (kind: LedgerRow['kind'], minor: number) => ({ ...base, kind, amount: `${minor}` })
  if (status === 'canceled') return [row('VOID', amount)]
  if (status !== 'succeeded') return []
  const refunded = latest_charge instanceof Object ? latest_charge.amount_refunded : 0
  return [row('CAPTURE', amount_received), ...(refunded > 0 ? [row('REFUND', refunded)] : [])]
}

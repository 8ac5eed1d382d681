import { Client } from 'pg'
import { checkRecords } from '../bench/checks.ts'
import type { Check } from '../bench/findings.ts'
import type { ProviderAddress } from '../bench/provider-ledger.ts'
import { connectRecords, type RecordUrls } from '../bench/records.ts'
import { hasEnded, overdueCheck } from '../bench/rules.ts'
import type { LabState } from '../shared/contracts/lab.ts'
import { startSweep } from '../shared/runtime/interval.ts'
import type { Logger } from '../shared/runtime/logger.ts'

const everyMs = 1_000
const maxViolations = 50
/** Beyond this a shop has too much to be read as a whole each second: `npm run reconcile` checks it. */
const maxRows = 20_000
const queryDeadlineMs = 5_000
/** No one has looked for this long: nothing is checked until a page asks again. */
const idleMs = 15_000

type Watched = Pick<
  LabState,
  'too_many_purchases' | 'invariants' | 'looks' | 'violations' | 'recovery'
>
type Row = { id: string; status: string; updated_at: Date }

/**
 * Checks the invariants each second while a page asks for them, and follows the purchases of the lab until they have
 * ended. A database that is unavailable is read the next time.
 */
export function createWatch({
  databases,
  provider,
  ids,
  logger,
  maxPurchases = maxRows,
}: {
  databases: RecordUrls
  provider: ProviderAddress
  /** Of the purchases that were accepted. */
  ids: () => readonly string[]
  logger: Logger
  maxPurchases?: number
}) {
  const rows = new Map<string, Row>()
  const violations = new Set<string>()
  const records = connectRecords(databases, provider)
  let last: { at: Date; checks: Check[] } | undefined
  let looks = 0
  let tooMany = false
  let lookedAt = 0
  /** The end of the last fault, and how many purchases had been accepted by then. */
  let healed: { at: number; accepted: number } | undefined
  let checking: Promise<void> = Promise.resolve()

  async function query<T>(text: string, values: unknown[] = []): Promise<T[]> {
    const client = new Client({
      connectionString: databases.purchase,
      connectionTimeoutMillis: queryDeadlineMs,
      query_timeout: queryDeadlineMs,
    })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return (await client.query(text, values)).rows as T[]
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  const openIds = () => ids().filter((id) => !hasEnded(rows.get(id) ?? { status: 'ACCEPTED' }))

  async function follow(): Promise<void> {
    const open = openIds()
    if (open.length === 0) return
    const found = await query<Row>(
      'SELECT id, status, updated_at FROM purchases WHERE id = ANY($1::uuid[])',
      [open],
    )
    for (const row of found) rows.set(row.id, row)
    const known = new Set(found.map(({ id }) => id))
    const lost = open.filter((id) => !known.has(id))
    if (lost.length > 0) violations.add(`accepted and lost: ${lost.slice(0, 5).join(' ')}`)
  }

  async function checkOnce(): Promise<void> {
    const [size] = await query<{ rows: number }>(
      `SELECT count(*)::int AS rows FROM (SELECT FROM purchases LIMIT ${maxPurchases + 1}) AS counted`,
    )
    tooMany = (size?.rows ?? 0) > maxPurchases
    if (tooMany) {
      last = undefined
      return
    }
    const found = await checkRecords(records, { live: true, atOnce: true })
    const checks = found.checks.filter(({ name }) => name !== overdueCheck)
    last = { at: new Date(), checks }
    looks += 1
    for (const { ok, name, detail } of checks) {
      if (!ok && violations.size < maxViolations) violations.add(`${name}: ${detail}`)
    }
  }

  /** One at a time: they share a copy of the provider's ledger. */
  function check(): Promise<void> {
    checking = checking.catch(() => undefined).then(checkOnce)
    return checking
  }

  async function look(): Promise<void> {
    // A switch may have stopped the database.
    await follow().catch(() => undefined)
    if (Date.now() - lookedAt < idleMs) await check().catch(() => undefined)
  }

  function keepLooking(): void {
    lookedAt = Date.now()
  }

  const sweep = startSweep({ intervalMs: everyMs, run: look, logger })

  function recovery(): LabState['recovery'] {
    if (!healed) return null
    const { at: since, accepted } = healed
    const ends = ids()
      .slice(0, accepted)
      .flatMap((id) => rows.get(id) ?? [])
      .filter(hasEnded)
      .map((row) => row.updated_at.getTime())
    const open = accepted - ends.length
    const recovered = Math.max(0, ...ends.map((at) => at - since))
    return {
      healed_at: new Date(since).toISOString(),
      open,
      recovered_ms: open > 0 ? null : recovered,
    }
  }

  return {
    /** The recovery clock starts again. */
    healed(): void {
      healed = { at: Date.now(), accepted: ids().length }
    },
    openIds,
    statusOf: (id: string) => rows.get(id)?.status,
    violations: () => [...violations],
    /** How often the invariants were checked. */
    looks: () => looks,
    /** The invariants are checked each second for a while. */
    keepLooking,
    /** Checks at once, with what has ended by now. Throws when it cannot. */
    async lookNow(): Promise<Check[]> {
      await follow()
      await check()
      if (tooMany) throw new Error('too many purchases to check at once: use npm run reconcile')
      return last?.checks ?? []
    },
    state(): Watched & { by_status: Record<string, number> } {
      keepLooking()
      const counted = Object.groupBy(ids(), (id) => rows.get(id)?.status ?? 'ACCEPTED')
      const checks = last?.checks.map(({ name, ok, detail }) => ({ name, ok, detail }))
      return {
        invariants: last && checks ? { at: last.at.toISOString(), checks } : null,
        too_many_purchases: tooMany,
        looks,
        violations: [...violations],
        recovery: recovery(),
        by_status: Object.fromEntries(
          Object.entries(counted).map(([status, all]) => [status, all?.length ?? 0]),
        ),
      }
    },
    async close(): Promise<void> {
      await sweep.close()
      await records.close()
    },
  }
}

export type Watch = ReturnType<typeof createWatch>

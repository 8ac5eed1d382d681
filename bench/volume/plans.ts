import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Client } from 'pg'
import type { Database } from '../../prisma/databases.ts'
import { databases } from '../../prisma/databases.ts'

/** A statement as PostgreSQL ran it: the worst of its runs. */
export type Statement = {
  database: string
  text: string
  runs: number
  maxMs: number
  /** Rows of one table that a run looked at, at most. */
  rows: number
  /** Tables that a run read from beginning to end. */
  scanned: string[]
}

type Plan = {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows'?: number
  'Actual Loops'?: number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  Plans?: Plan[]
}

const logged = /\[\d+\] (\S+) LOG: {2}duration: ([\d.]+) ms {2}plan:$/
/** Below this, PostgreSQL is right to read a table as a whole. */
const plannerMustChoose = 100_000

/**
 * Lets PostgreSQL log the plan of every statement between `start` and `stop`, with what it read. Sessions that are
 * open when this is called know nothing of it. A shop that is too small for indexes to pay is asked to use them all
 * the same.
 */
export async function connectPlanLog(adminUrl: string, logFile: string, rows: number) {
  const admin = new Client({ connectionString: adminUrl })
  await admin.connect()
  const set = async (name: string, value: string) => {
    await admin.query(`ALTER SYSTEM SET ${name} = '${value}'`)
  }
  const settings = {
    session_preload_libraries: 'auto_explain',
    log_line_prefix: '%m [%p] %d ',
    'auto_explain.log_min_duration': '-1',
    'auto_explain.log_analyze': 'on',
    'auto_explain.log_buffers': 'on',
    'auto_explain.log_timing': 'off',
    'auto_explain.log_format': 'json',
    ...(rows < plannerMustChoose && { enable_seqscan: 'off' }),
  }
  await admin.query("LOAD 'auto_explain'")
  for (const [name, value] of Object.entries(settings)) await set(name, value)
  await admin.query('SELECT pg_reload_conf()')
  let from = 0

  return {
    async start(): Promise<void> {
      from = (await stat(logFile)).size
      await set('auto_explain.log_min_duration', '0')
      await admin.query('SELECT pg_reload_conf()')
    },

    /** The statements of all databases since the start, those that looked at the most rows first. */
    async stop(): Promise<Statement[]> {
      await set('auto_explain.log_min_duration', '-1')
      await admin.query('SELECT pg_reload_conf()')
      const lines = createInterface({ input: createReadStream(logFile, { start: from }) })
      return readPlans(lines)
    },

    /** Leaves PostgreSQL as it was; open sessions keep the library. */
    async close(): Promise<void> {
      await admin.query('ALTER SYSTEM RESET ALL')
      await admin.query('SELECT pg_reload_conf()')
      await admin.end()
    },
  }
}

/** Reads the plans from the lines of a log. */
export async function readPlans(lines: AsyncIterable<string>): Promise<Statement[]> {
  const statements = new Map<string, Statement>()
  let current: { database: string; ms: number; json: string[] } | undefined
  const end = () => {
    if (current) add(statements, current)
    current = undefined
  }
  for await (const line of lines) {
    if (current && line.startsWith('\t')) {
      current.json.push(line)
      continue
    }
    end()
    const [, database, ms] = logged.exec(line) ?? []
    // Those of a service: the log also has those of other connections.
    if (database !== undefined && database !== 'postgres')
      current = { database, ms: Number(ms), json: [] }
  }
  end()
  return [...statements.values()].sort((a, b) => b.rows - a.rows)
}

function add(
  statements: Map<string, Statement>,
  { database, ms, json }: { database: string; ms: number; json: string[] },
): void {
  const { 'Query Text': query, Plan: plan } = JSON.parse(json.join('')) as {
    'Query Text': string
    Plan: Plan
  }
  const text = query.replace(/\s+/g, ' ').trim()
  const key = `${database} ${text}`
  const known = statements.get(key)
  const statement = known ?? { database, text, runs: 0, maxMs: 0, rows: 0, scanned: [] }
  const tables = new Map<string, number>()
  const scanned = new Set(statement.scanned)
  look(plan, tables, scanned)
  statements.set(key, {
    ...statement,
    runs: statement.runs + 1,
    maxMs: Math.max(statement.maxMs, ms),
    rows: Math.max(statement.rows, ...tables.values()),
    scanned: [...scanned],
  })
}

function look(plan: Plan, tables: Map<string, number>, scanned: Set<string>): void {
  const table = plan['Relation Name']
  const { 'Actual Rows': rows = 0, 'Actual Loops': loops = 0 } = plan
  if (table !== undefined && plan['Node Type'].endsWith('Scan')) {
    const dropped =
      (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0)
    tables.set(table, (tables.get(table) ?? 0) + (rows + dropped) * loops)
    if (plan['Node Type'].endsWith('Seq Scan') && loops > 0) scanned.add(table)
  }
  for (const child of plan.Plans ?? []) look(child, tables, scanned)
}

/** The tables of each database that hold at least a twentieth of `rows`, by PostgreSQL's own estimate. */
export async function bigTables(
  urls: Record<Database, string>,
  rows: number,
): Promise<Map<string, Set<string>>> {
  const found = await Promise.all(
    databases.map(async (database) => {
      const client = new Client({ connectionString: urls[database] })
      await client.connect()
      try {
        const { rows: tables } = await client.query<{ name: string; relname: string }>(
          `SELECT current_database() AS name, relname FROM pg_class WHERE relkind = 'r' AND reltuples >= $1`,
          [rows / 20],
        )
        return [tables[0]?.name ?? database, new Set(tables.map(({ relname }) => relname))] as const
      } finally {
        await client.end()
      }
    }),
  )
  return new Map(found)
}

/** What is wrong with a statement: it reads a big table as a whole, or as good as. */
export function problemOf(
  { database, scanned, rows: looked }: Statement,
  big: Map<string, Set<string>>,
  rows: number,
): string | undefined {
  const tables = scanned.filter((table) => big.get(database)?.has(table))
  if (tables.length > 0) return `reads all of ${tables.join(', ')}`
  return looked > Math.max(rows / 20, 10_000) ? `looks at ${looked} rows` : undefined
}

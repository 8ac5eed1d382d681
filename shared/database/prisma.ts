import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { watchPool } from '../runtime/pools.ts'
import type { DatabaseConfig } from './config.ts'

/** How long a transaction may wait for a connection, and how long it may take. */
const transactionLimits = { maxWait: 5_000, timeout: 10_000 }

/** What a generated Prisma client offers to this module; each service brings its own client class. */
type Client = {
  $connect(): Promise<void>
  $disconnect(): Promise<void>
  $queryRaw(query: TemplateStringsArray): PromiseLike<unknown>
}

/** Beyond this number, the texts are probably never repeated. */
const maxPrepared = 200

/**
 * Names each statement by its text, so that a connection plans it once. Lists of different lengths make different
 * texts; past the limit a statement has no name and is planned each time.
 */
function createStatementNames() {
  const names = new Map<string, string>()
  return ({ sql }: { sql: string }): string => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= maxPrepared) return ''
    const name = `s${names.size}`
    names.set(sql, name)
    return name
  }
}

/** Connects a service's generated client through a bounded pool, with time limits on every wait. */
export async function connectDatabase<C extends Client>(
  PrismaClient: new (options: {
    adapter: PrismaPg
    transactionOptions: typeof transactionLimits
  }) => C,
  config: DatabaseConfig,
): Promise<C> {
  const pool = openPool(config)
  const adapter = new PrismaPg(pool, {
    statementNameGenerator: createStatementNames(),
    disposeExternalPool: true,
  })
  const client = new PrismaClient({ adapter, transactionOptions: transactionLimits })
  await client.$connect()
  return client
}

function openPool(config: DatabaseConfig): pg.Pool {
  const limit = config.DATABASE_POOL_SIZE
  const pool = new pg.Pool({
    connectionString: config.DATABASE_URL,
    max: limit,
    connectionTimeoutMillis: 5_000,
    query_timeout: 15_000,
    statement_timeout: 10_000,
  })
  const watched = watchPool('database', () => ({
    limit,
    open: pool.totalCount,
    busy: pool.totalCount - pool.idleCount,
    waiting: pool.waitingCount,
  }))
  const end = pool.end.bind(pool) as () => Promise<void>
  pool.end = (): Promise<void> => {
    watched.close()
    return end()
  }
  return pool
}

/** For `/health/ready`. */
export async function isDatabaseReachable(client: Client): Promise<boolean> {
  await client.$queryRaw`SELECT 1`
  return true
}

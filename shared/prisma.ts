import { PrismaPg } from '@prisma/adapter-pg'

export type DatabaseConfig = { DATABASE_URL: string; DATABASE_POOL_SIZE: number }

/** How long a transaction may wait for a connection, and how long it may take. */
export const transactionLimits = { maxWait: 5_000, timeout: 10_000 }

/** What a generated Prisma client offers to this module; each service brings its own client class. */
type Client = {
  $connect(): Promise<void>
  $disconnect(): Promise<void>
  $queryRaw(query: TemplateStringsArray): PromiseLike<unknown>
}

/** More would be texts that are never the same twice. */
const maxPrepared = 200

/**
 * Names each statement by its text, so that a connection plans it once. Texts differ where lists are of different
 * length; past the limit a statement has no name, and is planned each time.
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
  const adapter = new PrismaPg(
    {
      connectionString: config.DATABASE_URL,
      max: config.DATABASE_POOL_SIZE,
      connectionTimeoutMillis: 5_000,
      query_timeout: 15_000,
      statement_timeout: 10_000,
    },
    { statementNameGenerator: createStatementNames() },
  )
  const client = new PrismaClient({ adapter, transactionOptions: transactionLimits })
  await client.$connect()
  return client
}

/** For `/health/ready`. */
export async function databaseAnswers(client: Client): Promise<boolean> {
  await client.$queryRaw`SELECT 1`
  return true
}

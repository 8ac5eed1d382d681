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

/** Connects a service's generated client through a bounded pool, with time limits on every wait. */
export async function connectDatabase<C extends Client>(
  PrismaClient: new (options: {
    adapter: PrismaPg
    transactionOptions: typeof transactionLimits
  }) => C,
  config: DatabaseConfig,
): Promise<C> {
  const adapter = new PrismaPg({
    connectionString: config.DATABASE_URL,
    max: config.DATABASE_POOL_SIZE,
    connectionTimeoutMillis: 5_000,
    query_timeout: 15_000,
    statement_timeout: 10_000,
  })
  const client = new PrismaClient({ adapter, transactionOptions: transactionLimits })
  await client.$connect()
  return client
}

/** For `/health/ready`. */
export async function databaseAnswers(client: Client): Promise<boolean> {
  await client.$queryRaw`SELECT 1`
  return true
}

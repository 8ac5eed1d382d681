import type { Database } from '../../prisma/databases.ts'
import { start as startOrder } from '../../services/order/main.ts'
import { start as startPayment } from '../../services/payment/main.ts'
import { start as startProduct } from '../../services/product/main.ts'
import type { CreateOrder, ReserveStock, TakePayment } from '../../shared/contracts/commands.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { DoName } from '../../shared/contracts/steps.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import type { KafkaConfig } from '../../shared/kafka/config.ts'
import type { Running } from '../../shared/runtime/lifecycle.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { TestDatabase } from '../helpers/database.ts'
import { operators } from '../helpers/operators.ts'
import type { TestProvider } from '../helpers/provider.ts'
import { testTokens } from '../helpers/tokens.ts'

/** What a participant needs of a test; the rest is the same for all. */
type Connections = KafkaConfig & DatabaseConfig

type RunningPair = Running & { grpcPort: number }

/** The service that does and undoes a step, seen from outside. */
export type Pair = {
  database: Database
  start(connections: Connections, logger: Logger, provider: TestProvider): Promise<RunningPair>
  /** Makes what a do needs, and its body. */
  setUp(database: TestDatabase): Promise<object>
  /** The rows of a do: every count is 1 while it is done once, and 0 while it is not done or undone. */
  effect(
    database: TestDatabase,
    purchaseId: string,
    body: object,
    provider: TestProvider,
  ): Promise<number[]>
}

const settings = {
  HTTP_HOST: '127.0.0.1',
  HTTP_PORT: 0,
  GRPC_PORT: 0,
  LOG_LEVEL: 'warn',
  MAX_IN_FLIGHT: 256,
  CORS_ORIGINS: [] as string[],
  DRAIN_NOTICE_MS: 0,
  APP_ENV: 'local',
  ...testTokens.config,
  // Redis is unavailable in these tests.
  REDIS_NODES: Array.of('127.0.0.1:1'),
  SHOP_CURRENCY: 'VND',
  CATEGORIES_BY: 'anybody',
  SETTLEMENT_OVERDUE_MS: 60_000,
  PROVIDER_TIMEOUT_MS: 2_000,
  STRIPE_WEBHOOK_SECRETS: Array.of('whsec_test'),
  WEBHOOK_TOLERANCE_SECONDS: 300,
  PENDING_OVERDUE_MS: 60_000,
  EVENT_RETENTION_SECONDS: 60,
  ...operators.config,
  GRPC_ADDRESS: '127.0.0.1:1',
} as const

const inventory = 10

async function count(database: TestDatabase, sql: string): Promise<number[]> {
  const [row = {}] = await database.query(sql)
  return Object.values(row).map(Number)
}

export const pairs: Record<DoName, Pair> = {
  reserveStock: {
    database: 'product',
    start: (connections, logger) => startProduct({ ...settings, ...connections }, logger),
    async setUp(database): Promise<ReserveStock> {
      const [category, product] = [newId(), newId()]
      await database.query(`
        INSERT INTO categories (id, name, description) VALUES ('${category}', 'Tea', 'Leaves');
        INSERT INTO products
          (id, category_id, account_id, name, description, brand_name, price, stock, received)
        VALUES ('${product}', '${category}', '${newId()}', 'Green tea', 'From the hills', 'Hill',
          125, ${inventory}, ${inventory})`)
      return { lines: [{ product_id: product, quantity: 3 }] }
    },
    effect(database, purchaseId, body) {
      const [line] = (body as ReserveStock).lines
      return count(
        database,
        `SELECT held / 3.0 AS held, (${inventory} - stock) / 3.0 AS taken,
          (SELECT count(*) FROM holds WHERE purchase_id = '${purchaseId}' AND status = 'HELD')
        FROM products WHERE id = '${line?.product_id}'`,
      )
    },
  },
  createOrder: {
    database: 'order',
    start: (connections, logger) => startOrder({ ...settings, ...connections }, logger),
    async setUp(): Promise<CreateOrder> {
      const line = { product_id: newId(), quantity: 2, name: 'Green tea', unit_price: 125 }
      return { customer_id: newId(), lines: [line], amount: 250, currency_code: 'VND' }
    },
    effect: (database, purchaseId) =>
      count(
        database,
        `SELECT count(DISTINCT id) AS orders, count(product_id) AS lines
        FROM orders LEFT JOIN order_lines ON order_id = id
        WHERE id = '${purchaseId}' AND status <> 'CANCELLED'`,
      ),
  },
  takePayment: {
    database: 'payment',
    start: (connections, logger, { url, key }) =>
      startPayment(
        { ...settings, ...connections, STRIPE_API_URL: url, STRIPE_API_KEY: key },
        logger,
      ),
    async setUp(): Promise<TakePayment> {
      return { customer_id: newId(), amount: 250, currency_code: 'VND', method: 'sim_ok' }
    },
    async effect(database, purchaseId, _body, provider) {
      const payments = await count(
        database,
        `SELECT count(*) FROM payments
         WHERE id = '${purchaseId}' AND status NOT IN ('REFUNDED', 'VOIDED')`,
      )
      const ledger = provider.ledgerOf(purchaseId)
      const times = (kind: string) => ledger.filter((one) => one === kind).length
      return [...payments, times('CAPTURE') - times('REFUND')]
    },
  },
}

import type { Database } from '../../prisma/databases.ts'
import { start as startOrder } from '../../services/order/main.ts'
import { start as startPayment } from '../../services/payment/main.ts'
import { start as startProduct } from '../../services/product/main.ts'
import type {
  CreateOrder,
  DoName,
  ReserveStock,
  TakePayment,
  UndoName,
} from '../../shared/contracts/commands.ts'
import { newId } from '../../shared/ids.ts'
import type { KafkaConfig } from '../../shared/kafka.ts'
import type { Running } from '../../shared/lifecycle.ts'
import type { Logger } from '../../shared/logger.ts'
import type { DatabaseConfig } from '../../shared/prisma.ts'
import type { TestDatabase } from '../helpers/database.ts'
import { testTokens } from '../helpers/tokens.ts'

/** What a participant needs of a test; the rest is the same for all. */
type Connections = KafkaConfig & DatabaseConfig

/** A do, its undo, and the service that does both, seen from outside. */
export type Pair = {
  do: DoName
  undo: UndoName
  database: Database
  start(connections: Connections, logger: Logger): Promise<Running>
  /** Makes what a do needs, and its body. */
  setUp(database: TestDatabase): Promise<object>
  /** What is there of a do: every count is 1 while it is done once, and 0 while it is not done or undone. */
  effect(database: TestDatabase, purchaseId: string, body: object): Promise<number[]>
}

const settings = {
  HTTP_HOST: '127.0.0.1',
  HTTP_PORT: 0,
  GRPC_PORT: 0,
  LOG_LEVEL: 'warn',
  MAX_IN_FLIGHT: 256,
  APP_ENV: 'local',
  ...testTokens.config,
  // Nobody is there: whatever Redis would make faster is done without it.
  REDIS_NODES: Array.of('127.0.0.1:1'),
  SHOP_CURRENCY: 'VND',
  SETTLEMENT_OVERDUE_MS: 60_000,
  PROVIDER_TIMEOUT_MS: 2_000,
  SIM_REFUND_FAILURES: 0,
  GRPC_ADDRESS: '127.0.0.1:1',
  MEDIA_TIMEOUT_MS: 500,
  SIM_DATABASE_POOL_SIZE: 5,
} as const

const inventory = 10

async function count(database: TestDatabase, sql: string): Promise<number[]> {
  const [row = {}] = await database.query(sql)
  return Object.values(row).map(Number)
}

export const pairs: Pair[] = [
  {
    do: 'reserveStock',
    undo: 'releaseStock',
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
  {
    do: 'createOrder',
    undo: 'cancelOrder',
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
  {
    do: 'takePayment',
    undo: 'refundPayment',
    database: 'payment',
    start: (connections, logger) => startPayment({ ...settings, ...connections }, logger),
    async setUp(): Promise<TakePayment> {
      return { customer_id: newId(), amount: 250, currency_code: 'VND', method: 'sim_ok' }
    },
    effect: (database, purchaseId) =>
      count(
        database,
        `SELECT
          (SELECT count(*) FROM payments WHERE id = '${purchaseId}'
            AND status NOT IN ('REFUNDED', 'VOIDED')) AS payments,
          (SELECT coalesce(sum(CASE kind WHEN 'CAPTURE' THEN amount WHEN 'REFUND' THEN -amount END), 0)
            FROM provider_ledger WHERE key = '${purchaseId}') / 250.0 AS moved`,
      ),
  },
]

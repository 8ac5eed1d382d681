import assert from 'node:assert/strict'
import { createHandlers } from '../../services/purchase/http.ts'
import { createProgressFeed } from '../../services/purchase/progress-feed.ts'
import { connectRepository } from '../../services/purchase/repository.ts'
import { createPurchaseService } from '../../services/purchase/service.ts'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { FieldError } from '../../shared/contracts/problem.ts'
import { auditRoutes, type Purchase, purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { createOperatorAuthentication } from '../../shared/http/operators.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createSessions } from '../../shared/http/sessions.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase } from './database.ts'
import { operators } from './operators.ts'
import { connectPurchaseNeighbours } from './purchase-neighbours.ts'
import { serviceDefaults, storeAccepted } from './purchase-service.ts'
import { buildPurchase } from './purchases.ts'
import { connectTestRedis } from './redis.ts'
import { testTokens } from './tokens.ts'

/** Of an answer: a purchase, a page or a problem. */
type Body = Purchase & { items: Purchase[]; next_cursor: string | null; errors?: FieldError[] }
export type Answer = { status: number; body: Body }
/** A purchase and whose it is. */
export type Bought = { id: string; customerId: string }

type Dependencies = Parameters<typeof createPurchaseService>[0]

/** The body that buys these. */
export function order(...items: [productId: string, quantity: number][]) {
  return {
    order_items: items.map(([product_id, quantity]) => ({ product_id, quantity })),
    payment: { currency_code: 'VND' },
  }
}

/** The end of a purchase, as its saga announces it. */
export function endOf(
  { id, customerId }: { id: string; customerId: string | null },
  status: PurchaseEnded['status'],
  reason: string | null = null,
  failed_step: string | null = null,
): PurchaseEnded {
  return { purchase_id: id, customer_id: customerId, status, reason, failed_step }
}

/** The HTTP side of purchase on a database of its own; without more, what it publishes goes nowhere. */
export async function openPurchaseHttp({
  publish = async () => undefined,
  sagas = { Cancel: async () => ({ verdict: 'CANCELLING' }) },
  overdueMs = 300_000,
}: Partial<Pick<Dependencies, 'publish' | 'sagas' | 'overdueMs'>> = {}) {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await createTestDatabase('purchase'), (open) => open.close())
  const repository = opening.adopt(
    await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 10 }),
    (open) => open.close(),
  )
  // Nobody is there: progress is stored all the same.
  const redis = opening.adopt(await connectTestRedis(['127.0.0.1:1']), (open) => open.close())
  const feed = opening.adopt(createProgressFeed({ ...redis, repository }), (open) => open.close())
  const { accounts, products, ...neighbours } = await connectPurchaseNeighbours(opening)
  const defaults = serviceDefaults()
  const service = createPurchaseService({
    ...defaults,
    ...{ repository, feed, products, accounts, publish, sagas, overdueMs },
  })
  const http = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger: defaults.logger,
    metrics: createMetrics('purchase'),
    health: {},
    routes: { ...purchaseRoutes, ...auditRoutes },
    handlers: createHandlers(service),
    authenticate: createAuthentication(testTokens.config),
    sessions: createSessions({ accounts }),
    authenticateOperator: createOperatorAuthentication(operators.config),
  })
  opening.defer(() => http.close())
  const base = `http://127.0.0.1:${http.port}/api/v1`

  async function request(
    customerId: string,
    path: string,
    init: RequestInit = {},
    collection = '/purchases',
  ) {
    const headers = { authorization: `Bearer ${testTokens.tokenFor(customerId)}`, ...init.headers }
    const response = await fetch(`${base}${collection}${path}`, { ...init, headers })
    return { status: response.status, body: (await response.json()) as Body } satisfies Answer
  }

  function buy(customerId: string, body: object, key?: string): Promise<Answer> {
    return request(customerId, '', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }) },
    })
  }

  const opened = opening.move()
  return {
    ...neighbours,
    database,
    repository,
    service,
    base,
    request,
    buy,

    /** A purchase of one product. */
    async accepted(customerId = newId()): Promise<Bought> {
      const { status, body } = await buy(customerId, order([neighbours.addProduct().id, 1]))
      assert.equal(status, 202)
      return { id: body.purchase_id, customerId }
    },

    /** A purchase that was stored without a request. */
    async stored(): Promise<Bought> {
      const accepted = buildPurchase()
      await storeAccepted(repository, [accepted])
      return { id: accepted.purchase_id, customerId: accepted.customer_id }
    },

    /** The purchase as its customer sees it. */
    async see({ id, customerId }: Bought): Promise<Purchase> {
      const { status, body } = await request(customerId, `/${id}`)
      assert.equal(status, 200)
      return body
    },

    close: () => opened.disposeAsync(),
  }
}

export type PurchaseHttp = Awaited<ReturnType<typeof openPurchaseHttp>>

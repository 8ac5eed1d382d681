import assert from 'node:assert/strict'
import { pino } from 'pino'
import { createHandlers } from '../../services/product/http.ts'
import { createProductMedia } from '../../services/product/media.ts'
import { connectRepository } from '../../services/product/repository.ts'
import { createProductService } from '../../services/product/service.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import {
  type Category,
  type CreateProduct,
  type Product,
  productRoutes,
} from '../../shared/contracts/product.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase } from './database.ts'
import { testSessions, testTokens } from './tokens.ts'

/** Of an answer: a product, a category, a page or a problem. */
type Body = Product & Category & Problem & { items: Product[]; next_cursor: string | null }
type Answer = { status: number; body: Body; headers: Headers }

/** The HTTP side of product on a database of its own, without media. */
export async function openProductHttp({
  categoriesBy = 'anybody',
  roles = new Map(),
}: {
  categoriesBy?: 'anybody' | 'admins'
  /** Of accounts that are not buyer and seller. */
  roles?: ReadonlyMap<string, string[]>
} = {}) {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await createTestDatabase('product'), (open) => open.close())
  const repository = opening.adopt(
    await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
    (open) => open.close(),
  )
  const logger = pino({ level: 'silent' })
  const metrics = createMetrics('product')
  const media = { ListByProducts: async () => ({ media: [] }) }
  const service = createProductService({
    repository,
    publish: async () => undefined,
    logger,
    metrics,
    currencyCode: 'VND',
    categoriesBy,
    overdueMs: 60_000,
  })
  const server = opening.adopt(
    await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger,
      metrics,
      health: { database: repository.isReachable },
      routes: productRoutes,
      handlers: createHandlers(service, createProductMedia({ client: media, logger, metrics })),
      authenticate: createAuthentication(testTokens.config),
      sessions: testSessions(new Set(), roles),
    }),
    (open) => open.close(),
  )
  const base = `http://127.0.0.1:${server.port}/api/v1`

  async function call(
    method: string,
    path: string,
    { as, body, key, ifMatch }: { as?: string; body?: object; key?: string; ifMatch?: string } = {},
  ) {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (as) headers.authorization = `Bearer ${testTokens.tokenFor(as)}`
    if (key) headers['idempotency-key'] = key
    if (ifMatch) headers['if-match'] = ifMatch
    const response = await fetch(base + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
    })
    const answer = { status: response.status, body: (await response.json()) as Body }
    // Not among the fields that tests compare as a whole.
    return Object.defineProperty(answer, 'headers', { value: response.headers }) as Answer
  }

  async function addCategory(): Promise<string> {
    const body = { name: 'Tea', description: 'Leaves' }
    return (await call('POST', '/categories', { as: newId(), body })).body.id
  }

  async function buildProduct(overrides: Partial<CreateProduct> = {}): Promise<CreateProduct> {
    return {
      category_id: overrides.category_id ?? (await addCategory()),
      name: 'Green tea',
      description: 'From the hills',
      brand_name: 'Hill',
      price: 125,
      inventory: 10,
      ...overrides,
    }
  }

  async function addProduct(seller: string, overrides: Partial<CreateProduct> = {}) {
    const answer = await call('POST', '/products', {
      as: seller,
      body: await buildProduct(overrides),
    })
    assert.equal(answer.status, 201)
    return answer.body
  }

  /** The ids on all pages of a list, or on those after a cursor. */
  async function pages(path: string, after = ''): Promise<string[]> {
    const seen: string[] = []
    let cursor: string | null = after
    while (cursor !== null) {
      const { body } = await call('GET', `${path}&limit=2${cursor && `&cursor=${cursor}`}`)
      assert.ok(body.items.length <= 2)
      seen.push(...body.items.map((item) => item.id))
      cursor = body.next_cursor
    }
    return seen
  }

  const opened = opening.move()
  return {
    database,
    repository,
    call,
    addCategory,
    buildProduct,
    addProduct,
    pages,
    close: () => opened.disposeAsync(),
  }
}

export type ProductHttp = Awaited<ReturnType<typeof openProductHttp>>

import assert from 'node:assert/strict'
import { pino } from 'pino'
import { newId } from '../../shared/contracts/ids.ts'
import { purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { serviceDefaults } from '../../test/helpers/purchase-service.ts'
import { testSessions, testTokens } from '../../test/helpers/tokens.ts'
import { createHandlers } from './http.ts'
import { createPurchaseService } from './service.ts'

const host = '127.0.0.1'
const logger = pino({ level: 'silent' })
const deadlineMs = 500

describe('buying while product', () => {
  const open = new AsyncDisposableStack()
  const gate = Promise.withResolvers<void>()
  let asked = 0
  let post: () => Promise<{ status: number; retryAfter: string | null; ms: number }>

  before(async () => {
    const serve = async <T extends { close(): Promise<void> }>(server: Promise<T>) =>
      open.adopt(await server, (it) => it.close())
    const product = await serve(
      startGrpcServer({
        service: 'product',
        host,
        port: 0,
        logger,
        handlers: {
          CheckProducts: async () => ({ checks: [] }),
          GetHolds: async () => ({ holds: [] }),
          WithdrawProducts: async () => ({ withdrawn: 0 }),
          async GetProducts({ product_ids }) {
            asked += 1
            await gate.promise
            return {
              products: product_ids.map((id) => ({
                id,
                account_id: id,
                name: 'Tea',
                price: 1,
                withdrawn: false,
                stock: 1_000,
              })),
            }
          },
        },
      }),
    )
    const service = createPurchaseService({
      ...serviceDefaults(),
      repository: { findByKey: async () => null } as never,
      products: open.adopt(
        connectGrpc('product', `${host}:${product.port}`, { deadlineMs }),
        (it) => it.close(),
      ),
      sagas: {} as never,
      feed: {} as never,
      publish: async () => undefined,
    })
    const http = await serve(
      startHttpServer({
        host,
        port: 0,
        logger,
        metrics: createMetrics('purchase'),
        routes: purchaseRoutes,
        handlers: createHandlers(service),
        authenticate: createAuthentication(testTokens.config),
        sessions: testSessions(),
        health: {},
      }),
    )
    open.defer(() => gate.resolve())
    const body = JSON.stringify({
      order_items: [{ product_id: newId(), quantity: 1 }],
      payment: { currency_code: 'VND' },
    })
    const authorization = `Bearer ${testTokens.tokenFor(newId())}`
    post = async () => {
      const startedAt = performance.now()
      const { status, headers } = await fetch(`http://${host}:${http.port}/api/v1/purchases`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body,
      })
      const retryAfter = headers.get('retry-after')
      return { status, retryAfter, ms: performance.now() - startedAt }
    }
  })

  after(() => open.disposeAsync())

  it('does not answer is a 503 with Retry-After: after a deadline at first, then at once', async () => {
    const first = await Promise.all(Array.from({ length: 10 }, () => post()))
    const askedAtFirst = asked
    const then = await Promise.all(Array.from({ length: 40 }, () => post()))

    for (const { status, retryAfter } of [...first, ...then]) {
      assert.deepEqual([status, retryAfter], [503, '1'])
    }
    for (const { ms } of first) assert.ok(ms < 30_000, `${ms} ms`)
    // Now and then one tries whether product is back; the others do not wait for it.
    assert.ok(asked - askedAtFirst < then.length / 4, `${asked} questions`)
  })
})

import assert from 'node:assert/strict'
import { pino } from 'pino'
import { createAuthentication } from '../../shared/auth.ts'
import { purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { connectGrpc, startGrpcServer } from '../../shared/grpc.ts'
import { startHttpServer } from '../../shared/http.ts'
import { newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createHandlers } from './http.ts'
import { createPurchaseService } from './service.ts'

const host = '127.0.0.1'
const logger = pino({ level: 'silent' })
const deadlineMs = 500

describe('buying while product', function () {
  this.timeout(60_000)

  const open = new AsyncDisposableStack()
  const gate = Promise.withResolvers<void>()
  let asked = 0
  let post: () => Promise<{ status: number; retryAfter: string | null; ms: number }>

  before(async () => {
    const serve = async <T extends { close(): Promise<void> }>(server: Promise<T>) =>
      open.adopt(await server, (it) => it.close())
    const auth = await serve(
      startGrpcServer({
        service: 'auth',
        host,
        port: 0,
        logger,
        handlers: { Authenticate: async () => ({ account_id: newId(), email_verified: true }) },
      }),
    )
    const product = await serve(
      startGrpcServer({
        service: 'product',
        host,
        port: 0,
        logger,
        handlers: {
          CheckProducts: async () => ({ checks: [] }),
          async GetProducts({ product_ids }) {
            asked += 1
            await gate.promise
            return {
              products: product_ids.map((id) => ({ id, account_id: '', name: 'Tea', price: 1 })),
            }
          },
        },
      }),
    )
    const service = createPurchaseService({
      repository: { findByKey: async () => null } as never,
      accounts: open.adopt(connectGrpc('auth', `${host}:${auth.port}`), (it) => it.close()),
      products: open.adopt(
        connectGrpc('product', `${host}:${product.port}`, { deadlineMs }),
        (it) => it.close(),
      ),
      sagas: {} as never,
      feed: {} as never,
      overdueMs: 300_000,
      publish: async () => undefined,
      currencyCode: 'VND',
      requireVerifiedEmail: false,
      logger,
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
    for (const { ms } of first) assert.ok(ms < 10_000, `${ms} ms`)
    // Now and then one tries whether product is back; the others do not wait for it.
    assert.ok(asked - askedAtFirst < then.length / 4, `${asked} questions`)
  })
})

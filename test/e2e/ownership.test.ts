import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Customer, registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import { accountRoutes } from '../../shared/contracts/account.ts'
import { mediaRoutes } from '../../shared/contracts/media.ts'
import { orderRoutes } from '../../shared/contracts/order.ts'
import { paymentRoutes } from '../../shared/contracts/payment.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import { productRoutes } from '../../shared/contracts/product.ts'
import { purchaseRoutes } from '../../shared/contracts/purchase.ts'
import { refundRoutes } from '../../shared/contracts/refund.ts'
import type { Route } from '../../shared/contracts/route.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

const routes: Route[] = [
  accountRoutes,
  productRoutes,
  orderRoutes,
  paymentRoutes,
  purchaseRoutes,
  refundRoutes,
  mediaRoutes,
].flatMap((table) => Object.values(table))

const ownRoutes = routes.filter(({ auth, path }) => auth && path.includes('/:id'))
const lists = routes.filter(
  ({ auth, method, path }) => auth && method === 'get' && /^\/[a-z]+$/.test(path),
)

/** Bodies that are right, so that only the owner is wrong. */
const bodies: Record<string, object> = {
  'put /products/:id': { price: 1 },
  'patch /products/:id': { price: 1 },
  'post /products/:id/restock': { quantity: 1 },
  'post /payments/:id/refunds': { reason: 'Broken' },
  'post /products/:id/adjustments': { quantity: 1, reason: 'Broken' },
}

describe('what belongs to one customer', () => {
  let api: string
  let owner: Customer
  let stranger: Customer
  let productId: string
  let purchaseId: string

  before(async () => {
    api = (await testStack()).urls.api
    ;[owner, stranger] = await Promise.all([registerCustomer(api), registerCustomer(api)])
    productId = (await sellTea(owner, 10)).id
    const order_items = [{ product_id: productId, quantity: 1 }]
    purchaseId = (await owner.buy({ order_items })).body.purchase_id
    await owner.waitForEnd(purchaseId)
  })

  /** Orders, payments and purchases have one id. */
  const idFor = ({ path }: Route) => (path.startsWith('/products') ? productId : purchaseId)

  const call = (route: Route, token: string, id: string) =>
    request<Problem>(api, route.method.toUpperCase() as 'GET', route.path.replace(':id', id), {
      token,
      headers: { 'idempotency-key': randomUUID() },
      ...(route.body && { body: bodies[`${route.method} ${route.path}`] ?? {} }),
    })

  it('can be requested by more than one route', () => {
    assert.ok(ownRoutes.length >= 5)
    assert.ok(lists.length >= 3)
  })

  for (const route of ownRoutes) {
    const name = `${route.method.toUpperCase()} ${route.path}`

    it(`is no stranger's to have by ${name}`, async () => {
      const foreign = await call(route, stranger.token, idFor(route))
      const missing = await call(route, stranger.token, randomUUID())

      // Everybody may read a product, so that one may say who cannot change it.
      assert.equal(foreign.status, route.path.startsWith('/products') ? 403 : 404)
      assert.equal(missing.status, 404)
      if (foreign.status === 404) {
        assert.deepEqual({ ...foreign.body, instance: '' }, { ...missing.body, instance: '' })
      }
    })
  }

  for (const route of lists) {
    it(`is in nobody else's list of GET ${route.path}`, async () => {
      const { body } = await request<{ items: unknown[] }>(api, 'GET', route.path, {
        token: stranger.token,
      })

      assert.deepEqual(body.items, [])
    })
  }

  it('is not to be had by naming oneself in a header', async () => {
    const { body } = await owner.get<{ id: string }>('/account/customer/personal')
    for (const name of ['x-user-id', 'x-account-id', 'x-user', 'x-forwarded-user']) {
      const { status } = await request(api, 'GET', `/purchases/${purchaseId}`, {
        token: stranger.token,
        headers: { [name]: body.id },
      })
      assert.equal(status, 404)
      const anonymous = await request(api, 'GET', `/purchases/${purchaseId}`, {
        headers: { [name]: body.id },
      })
      assert.equal(anonymous.status, 401)
    }
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connect } from 'node:http2'
import { type Customer, registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import { accountOperatorRoutes } from '../../shared/contracts/account-operators.ts'
import { consoleRoutes } from '../../shared/contracts/console.ts'
import { labRoutes } from '../../shared/contracts/lab.ts'
import { operatorRoutes, refundSagaRoutes } from '../../shared/contracts/operator.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import { auditRoutes } from '../../shared/contracts/purchase.ts'
import { operatorRefundRoutes } from '../../shared/contracts/refund.ts'
import { apiPrefix, type Route } from '../../shared/contracts/route.ts'
import { routesByService } from '../../shared/contracts/routes.ts'
import { checkedRequest } from '../helpers/api-document.ts'
import { testStack } from '../helpers/stack.ts'
import { testTokens } from '../helpers/tokens.ts'

const routes: Route[] = Object.values(routesByService).flatMap((table) => Object.values(table))

describe('the routes of the gateway', () => {
  let api: string
  let customer: Customer

  before(async () => {
    api = (await testStack()).urls.api
    customer = await registerCustomer(api)
  })

  const call = (route: Route, token?: string, body?: unknown) =>
    checkedRequest<Problem>(
      api,
      route.method.toUpperCase() as 'GET',
      route.path.replace(':id', randomUUID()),
      { ...(token !== undefined && { token }), body },
    )

  for (const route of routes.filter(({ auth }) => auth)) {
    it(`refuses ${route.method.toUpperCase()} ${route.path} without a token and with a forged one`, async () => {
      const forged = testTokens.tokenFor(randomUUID())

      for (const token of [undefined, 'nonsense', forged]) {
        const { status, body, headers } = await call(route, token)
        assert.equal(status, 401)
        assert.equal(body.type, 'urn:shop:problem:unauthorized')
        assert.match(headers['content-type'] ?? '', /^application\/problem\+json/)
      }
    })
  }

  // The body of a webhook is read once its signature is known.
  for (const route of routes.filter(({ body, raw }) => body && !raw)) {
    it(`refuses a bad body of ${route.method.toUpperCase()} ${route.path}, naming each field`, async () => {
      const { status, body } = await call(route, customer.token, { surprise: true })

      assert.equal(status, 400)
      assert.ok(body.errors?.some(({ field }) => field === 'surprise'))
      assert.ok(body.errors?.every(({ rule }) => rule.length > 0))
    })
  }

  it('names the field and the rule deep inside a purchase', async () => {
    const { status, body } = await request<Problem>(api, 'POST', '/purchases', {
      token: customer.token,
      body: {
        order_items: [
          { product_id: randomUUID(), quantity: 1 },
          { product_id: 'x', quantity: 0 },
        ],
        payment: { currency_code: 'dong' },
      },
    })

    assert.equal(status, 400)
    assert.deepEqual(body.errors?.map(({ field }) => field).sort(), [
      'order_items.1.product_id',
      'order_items.1.quantity',
      'payment.currency_code',
    ])
  })

  const operations = [
    '/metrics',
    '/health/live',
    '/health/ready',
    '/problems/404',
    '/dashboard/',
    '/web/',
  ]
  for (const path of operations) {
    it(`has no way to ${path}`, async () => {
      assert.equal((await fetch(api + path)).status, 404)
    })
  }

  for (const route of Object.values({
    ...operatorRoutes,
    ...consoleRoutes,
    ...auditRoutes,
    ...labRoutes,
    ...accountOperatorRoutes,
    ...refundSagaRoutes,
    ...operatorRefundRoutes,
  })) {
    it(`has no way to what operators do: ${route.method} ${route.path}`, async () => {
      const path = apiPrefix + route.path.replace(':id', randomUUID()).replaceAll(/:\w+/g, '0')
      const { status } = await fetch(api + path, { method: route.method.toUpperCase() })
      assert.equal(status, 404)
    })
  }

  it('has no way to gRPC', async () => {
    const session = connect(api)
    try {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/auth.AuthService/Authenticate',
        'content-type': 'application/grpc',
        'service-name': 'auth.AuthService',
      })
      const outcome = await new Promise<unknown>((resolve) => {
        stream.on('response', (headers) => resolve(headers[':status']))
        stream.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
        session.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
        stream.end()
      })
      assert.ok(outcome === 404 || typeof outcome === 'string', `answered ${outcome}`)
    } finally {
      session.destroy()
    }
  })
})

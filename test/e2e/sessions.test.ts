import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Customer, registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import type { Route } from '../../shared/contracts/route.ts'
import { routesByService } from '../../shared/contracts/routes.ts'
import { codeIn, waitForMails } from '../helpers/mailbox.ts'
import { testStack } from '../helpers/stack.ts'
import { untilRefused } from '../helpers/until-refused.ts'

const writes = Object.values(routesByService)
  .flatMap((routes) => Object.values<Route>(routes))
  .filter(({ auth, method }) => auth === true && method !== 'get')

/** A form that is cut short: an upload is refused before it is read. */
const form = '--x\r\n'

describe('a session that has ended', () => {
  let api: string
  before(async () => {
    api = (await testStack()).urls.api
  })

  const call = (route: Route, token: string) =>
    request(api, route.method.toUpperCase() as 'POST', route.path.replace(':id', randomUUID()), {
      token,
      headers: {
        'idempotency-key': randomUUID(),
        ...(route.multipart && { 'content-type': 'multipart/form-data; boundary=x' }),
      },
      body: route.multipart ? form : {},
    })

  /** Uses every service once, so that the session is known where it can be known. */
  async function used(customer: Customer) {
    for (const route of writes.filter(({ path }) => !path.endsWith('/logout'))) {
      assert.notEqual((await call(route, customer.token)).status, 401, route.path)
    }
  }

  async function assertRefused(customer: Customer) {
    assert.ok(writes.length >= 9)
    await untilRefused(401, () => Promise.all(writes.map((route) => call(route, customer.token))))
  }

  it('writes nothing any more anywhere, from its logout everywhere on', async () => {
    const customer = await registerCustomer(api)
    await used(customer)

    await request(api, 'POST', '/account/logout', {
      token: customer.token,
      body: { everywhere: true },
    })

    await assertRefused(customer)
  })

  it('writes nothing any more anywhere, from the reset of its password on', async () => {
    const customer = await registerCustomer(api)
    const { email } = customer
    await request(api, 'POST', '/account/password/forgot', { body: { email } })
    const [, mail] = await waitForMails(email, 2)
    await used(customer)

    const { status } = await request(api, 'POST', '/account/password/reset', {
      body: { email, code: codeIn(mail), password: `new ${randomUUID()}` },
    })

    assert.equal(status, 204)
    await assertRefused(customer)
  })

  it('still reads until its token expires', async () => {
    const customer = await registerCustomer(api)
    await request(api, 'POST', '/account/logout', { token: customer.token })

    assert.equal((await customer.get('/purchases')).status, 200)
  })
})

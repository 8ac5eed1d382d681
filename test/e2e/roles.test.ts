import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import type { AccountRoles } from '../../shared/contracts/account-operators.ts'
import type { Personal } from '../../shared/contracts/personal-data.ts'
import type { Product } from '../../shared/contracts/product.ts'
import { testStack } from '../helpers/stack.ts'
import { untilRefused } from '../helpers/until-refused.ts'

describe('roles, through every service', () => {
  let api: string
  let operations: string
  let token: string

  before(async () => {
    const { urls, ports, secrets } = await testStack()
    api = urls.api
    operations = `http://127.0.0.1:${ports.account}`
    token = secrets.operatorToken
  })

  const personalOf = async (customer: Customer) =>
    expectStatus(await customer.get<Personal>('/account/customer/personal'), 200)
  const set = (id: string, roles: unknown, note: unknown = 'by a test', as = token) =>
    request<AccountRoles>(operations, 'PUT', `/roles/${id}`, { token: as, body: { roles, note } })
  const sell = async (customer: Customer) => {
    const category = await customer.createCategory('Tea')
    return customer.createProduct({
      ...{ category_id: category.id, name: 'Tea', description: 'Leaves', brand_name: 'Hill' },
      ...{ price: 125, inventory: 10 },
    })
  }

  it('are buyer and seller of an account that registers, which its token says', async () => {
    const customer = await registerCustomer(api)
    const { roles } = await personalOf(customer)
    const [, payload = ''] = customer.token.split('.')

    assert.deepEqual(roles, ['buyer', 'seller'])
    assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url').toString()).roles, roles)
  })

  it('are changed by an operator, at once and without ending a session, and who did it is kept', async () => {
    const customer = await registerCustomer(api)
    const { id, email } = await personalOf(customer)
    const product = await sell(customer)

    const changed = expectStatus(await set(id, ['buyer']), 200)
    const restock = () =>
      request(api, 'POST', `/products/${product.id}/restock`, {
        ...{ token: customer.token, body: { quantity: 1 } },
        headers: { 'idempotency-key': randomUUID() },
      })

    await untilRefused(403, async () => [await restock()])
    assert.deepEqual((await personalOf(customer)).roles, ['buyer'])
    const found = await request<AccountRoles>(operations, 'GET', `/roles?email=${email}`, { token })
    assert.deepEqual(expectStatus(found, 200), changed)
    assert.deepEqual(
      changed.changes.map(({ roles, operator, note }) => [roles, operator, note]),
      [[['buyer'], 'local', 'by a test']],
    )
  })

  it('withdraw the products of an account that sells no more', async () => {
    const customer = await registerCustomer(api)
    const { id } = await personalOf(customer)
    const product = await sell(customer)

    expectStatus(await set(id, ['buyer']), 200)

    const { body } = await request<Product>(api, 'GET', `/products/${product.id}`)
    assert.equal(body.withdrawn, true)
    const buyer = await registerCustomer(api)
    const { status } = await buyer.buy({ order_items: [{ product_id: product.id, quantity: 1 }] })
    assert.equal(status, 422)
  })

  it('let nobody buy who is no buyer', async () => {
    const customer = await registerCustomer(api)
    const product = await sell(customer)
    const { id } = await personalOf(customer)
    expectStatus(await set(id, ['seller']), 200)

    const { status } = await customer.buy({
      order_items: [{ product_id: product.id, quantity: 1 }],
    })

    assert.equal(status, 403)
  })

  it('are refused when they are none, named twice or without a note, and to who is no operator', async () => {
    const customer = await registerCustomer(api)
    const { id } = await personalOf(customer)

    assert.equal((await set(id, [])).status, 400)
    assert.equal((await set(id, ['buyer', 'buyer'])).status, 400)
    assert.equal((await set(id, ['owner'])).status, 400)
    assert.equal((await set(id, ['buyer'], '')).status, 400)
    assert.equal((await set(randomUUID(), ['buyer'])).status, 404)
    assert.equal((await set(id, ['admin'], 'to myself', customer.token)).status, 401)
    assert.deepEqual((await personalOf(customer)).roles, ['buyer', 'seller'])
  })
})

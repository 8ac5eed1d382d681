import assert from 'node:assert/strict'
import { pino } from 'pino'
import { databaseUrl } from '../../scripts/stack/client.ts'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import { createPasswords } from '../../services/account/passwords.ts'
import { createPersonalData } from '../../services/account/personal-data.ts'
import { type AccountRepository, connectRepository } from '../../services/account/repository.ts'
import type { AccountExport, Personal } from '../../shared/contracts/personal-data.ts'
import type { Product } from '../../shared/contracts/product.ts'
import type { Purchase, Sale } from '../../shared/contracts/purchase.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../helpers/stack.ts'

const password = 'correct horse battery'
/** Nothing but the test asks for a removal again that a busy machine was too slow for. */
const patient = { deadlineMs: 30_000 }

describe('personal data, through every service', function () {
  this.timeout(180_000)

  const open = new AsyncDisposableStack()
  let api: string
  let repository: AccountRepository
  /** What account's sweep does, without the delay. */
  let removeLeaving: () => Promise<void>

  before(async () => {
    const stack = await testStack()
    api = stack.urls.api
    const config = { DATABASE_URL: databaseUrl(stack, 'account'), DATABASE_POOL_SIZE: 2 }
    repository = open.adopt(await connectRepository(config), (it) => it.close())
    const service = createPersonalData({
      repository,
      passwords: await createPasswords(),
      products: open.adopt(connectGrpc('product', stack.urls.grpc, patient), (it) => it.close()),
      purchases: open.adopt(connectGrpc('purchase', stack.urls.grpc, patient), (it) => it.close()),
      changes: { publish: async () => undefined },
      delaySeconds: 0,
      logger: pino({ level: 'silent' }),
    })
    removeLeaving = service.removeLeaving
  })

  after(() => open.disposeAsync())

  const remove = (customer: Customer, email = customer.email, secret = customer.password) =>
    request(api, 'POST', '/account/delete', {
      ...{ token: customer.token, body: { email, password: secret } },
    })
  const sell = async (seller: Customer) => {
    const category = await seller.createCategory('Tea')
    return seller.createProduct({
      ...{ category_id: category.id, name: 'Tea', description: 'Leaves', brand_name: 'Hill' },
      ...{ price: 125, inventory: 10 },
    })
  }
  const idOf = async (customer: Customer) =>
    expectStatus(await customer.get<Personal>('/account/customer/personal'), 200).id
  const register = (email: string) =>
    request(api, 'POST', '/account/register', {
      body: {
        ...{ email, password, first_name: 'An', last_name: 'Ng' },
        ...{ address: '1 Le Loi', phone_number: '0901234567' },
      },
    })

  it('are exported by account, which links to what the other services store', async () => {
    const customer = await registerCustomer(api)

    const { body } = await customer.get<AccountExport>('/account/export')

    assert.equal(body.account.email, customer.email)
    assert.equal(body.account.address, '123 quan 9')
    assert.equal(body.sessions.length, 1)
    for (const link of Object.values(body.links)) {
      const { status } = await customer.get(link.replace('/api/v1', ''))
      assert.equal(status, 200, link)
    }
    assert.doesNotMatch(JSON.stringify(body), /argon2|password|hash/i)
  })

  it('are removed at the request of who has the password, and the orders stay', async () => {
    const [seller, customer] = [await registerCustomer(api), await registerCustomer(api)]
    const product = await sell(seller)
    const own = await sell(customer)
    const { body } = await customer.buy({ order_items: [{ product_id: product.id, quantity: 1 }] })
    await customer.waitForEnd(body.purchase_id)
    const id = await idOf(customer)

    assert.equal((await remove(customer, customer.email, 'wrong horse')).status, 401)
    assert.equal((await remove(customer, seller.email)).status, 401)
    assert.equal((await remove(customer)).status, 202)

    const login = { email: customer.email, password: customer.password }
    const refused = await request(api, 'POST', '/account/login', { body: login })
    assert.equal(refused.status, 401)
    assert.equal((await remove(customer)).status, 401, 'the session has ended')
    assert.equal((await register(customer.email)).status, 409, 'until it is gone')
    await waitFor('the account to be gone', async () => {
      await removeLeaving()
      return (await repository.findRoles({ id })) === null
    })
    const { status, body: bought } = await customer.get<Purchase>(`/purchases/${body.purchase_id}`)
    assert.deepEqual([status, bought.status, bought.delivery], [200, 'COMPLETED', null])
    assert.equal((await customer.get(`/orders/${body.purchase_id}`)).status, 200)
    const sale = await seller.get<Sale>(`/sales/${body.purchase_id}`)
    assert.deepEqual([sale.status, sale.body.delivery], [200, null])
    const shown = await request<Product>(api, 'GET', `/products/${own.id}`)
    assert.equal(shown.body.withdrawn, true)
    assert.equal((await register(customer.email)).status, 201)
  })

  it('are removed by account itself, once its delay is over', async () => {
    const customer = await registerCustomer(api)
    const id = await idOf(customer)
    assert.equal((await remove(customer)).status, 202)
    const { Client } = (await import('pg')).default
    const sql = new Client({ connectionString: databaseUrl(await testStack(), 'account') })
    await sql.connect()
    await sql.query(
      `UPDATE accounts SET deletion_requested_at = now() - interval '1 hour' WHERE id = $1`,
      [id],
    )
    await sql.end()

    const gone = async () => (await repository.findRoles({ id })) === null
    await waitFor('the account to be gone', gone, 60_000)
  })

  it('stay while a purchase of the account has not ended', async () => {
    const stack = await testStack()
    const customer = await registerCustomer(api)
    const id = await idOf(customer)
    const product = await sell(await registerCustomer(api))
    const { body } = await customer.buy({ order_items: [{ product_id: product.id, quantity: 1 }] })
    await customer.waitForEnd(body.purchase_id)
    const { Client } = (await import('pg')).default
    const sql = new Client({ connectionString: databaseUrl(stack, 'purchase') })
    await sql.connect()
    const setStatus = (status: string) =>
      sql.query('UPDATE purchases SET status = $1 WHERE id = $2', [status, body.purchase_id])
    try {
      await setStatus('PROCESSING')
      assert.equal((await remove(customer)).status, 202)
      await removeLeaving()
      assert.ok(await repository.findRoles({ id }))
      const { rows } = await sql.query('SELECT delivery FROM purchases WHERE id = $1', [
        body.purchase_id,
      ])
      assert.equal(rows[0]?.delivery.address, '123 quan 9')
    } finally {
      await setStatus('COMPLETED')
      await sql.end()
    }

    await waitFor('the account to be gone', async () => {
      await removeLeaving()
      return (await repository.findRoles({ id })) === null
    })
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import type { Personal } from '../../shared/contracts/personal-data.ts'
import { codeIn, waitForMails } from '../helpers/mailbox.ts'
import { testStack } from '../helpers/stack.ts'

describe('an account, through every service', function () {
  this.timeout(180_000)

  let api: string
  let customer: Customer
  let order_items: { product_id: string; quantity: number }[]

  before(async () => {
    api = (await testStack()).urls.api
    customer = await registerCustomer(api)
    const category = await customer.createCategory('Phone')
    const product = await customer.createProduct({
      ...{ category_id: category.id, name: 'Iphone 13', description: 'Iphone 13' },
      ...{ brand_name: 'Apple', price: 125, inventory: 10 },
    })
    order_items = [{ product_id: product.id, quantity: 1 }]
  })

  it('is mailed a code that verifies its address', async () => {
    const { email } = customer
    const [mail] = await waitForMails(email, 1)

    const verified = await request(api, 'POST', '/account/verify', {
      body: { email, code: codeIn(mail) },
    })

    assert.equal(verified.status, 204)
    const personal = await customer.get<Personal>('/account/customer/personal')
    assert.equal(expectStatus(personal, 200).email_verified, true)
  })

  it('is mailed at an address with an internationalised domain, by either spelling', async () => {
    const name = `mai-${randomUUID()}`
    const password = 'correct horse battery'
    const form = {
      ...{ email: `${name}@Bücher.example`, password, first_name: 'Mai', last_name: 'Ng' },
      ...{ address: '1 Le Loi', phone_number: '0901234567' },
    }
    const ascii = `${name}@xn--bcher-kva.example`

    expectStatus(await request(api, 'POST', '/account/register', { body: form }), 201)

    // The mail catcher shows domains as people write them.
    const [mail] = await waitForMails(`${name}@bücher.example`, 1)
    const body = { email: form.email, code: codeIn(mail) }
    expectStatus(await request(api, 'POST', '/account/verify', { body }), 204)
    const login = { email: ascii, password }
    expectStatus(await request(api, 'POST', '/account/login', { body: login }), 200)
  })

  it('is mailed how its purchases end', async () => {
    const ids: string[] = []
    for (const method of ['sim_ok', 'sim_declined']) {
      const { purchase_id } = expectStatus(await customer.buy({ order_items, method }), 202)
      await customer.waitForEnd(purchase_id)
      await waitForMails(customer.email, ids.push(purchase_id) + 1)
    }

    const mails = (await waitForMails(customer.email, 3)).slice(1)

    assert.deepEqual(
      mails.map(({ subject }) => subject),
      ['Your purchase is complete', 'Your purchase could not be made'],
    )
    for (const [i, mail] of mails.entries()) assert.ok(mail.text.includes(ids[i] ?? '?'))
  })

  it('buys nothing any more with a session that has ended', async () => {
    const leaving = await registerCustomer(api)
    const { token } = leaving

    const left = await request(api, 'POST', '/account/logout', { token })

    assert.equal(left.status, 204)
    assert.equal((await leaving.buy({ order_items })).status, 401)
  })
})

import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { expectStatus, registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import type { AccountRoles } from '../../shared/contracts/account-operators.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp } from '../helpers/product-http.ts'
import { testStack } from '../helpers/stack.ts'
import { fillProduct, signUp, uniqueName, visitEachTest } from './visitors.ts'

describe('roles in a browser', function () {
  this.timeout(120_000)

  const visit = visitEachTest()
  let page: Page
  let email: string

  before(async () => {
    const { urls } = await testStack()
    // The form offers categories as soon as there is one.
    await (await registerCustomer(urls.api)).createCategory(uniqueName('Pots'))
  })

  beforeEach(async () => {
    page = visit.page
    email = (await signUp(visit.context, page)).email
  })

  async function setRoles(roles: string[]): Promise<void> {
    const { ports, secrets } = await testStack()
    const operations = `http://127.0.0.1:${ports.account}`
    const token = secrets.operatorToken
    const found = await request<AccountRoles>(operations, 'GET', `/roles?email=${email}`, { token })
    const { account_id: id } = expectStatus(found, 200)
    const body = { roles, note: 'by a test' }
    expectStatus(await request(operations, 'PUT', `/roles/${id}`, { token, body }), 200)
  }

  it('offer nothing to sell with to an account that may only buy, and say why', async () => {
    await setRoles(['buyer'])
    await page.goto('/sell')
    await page.getByText('This account may not sell').waitFor()
    await page.getByText('You sell nothing yet.').waitFor()
    assert.equal(await page.getByRole('link', { name: 'Sell something' }).count(), 0)

    await page.goto('/sell/new')
    await page.getByText('This account may not sell').waitFor()
    assert.equal(await page.getByLabel('Name').count(), 0)
  })

  it('show at the field that categories are left to admins', async () => {
    const strict = await openProductHttp({ categoriesBy: 'admins' })
    // The answer of a shop that leaves them to admins; the rest is the shop of all tests.
    await page.route('**/api/v1/categories', async (route) => {
      const form = route.request().postDataJSON()
      const answer = await strict.call('POST', '/categories', { as: newId(), body: form })
      const contentType = 'application/problem+json'
      return route.fulfill({ status: answer.status, contentType, json: answer.body })
    })
    await fillProduct(page, { name: uniqueName('Pot'), category: uniqueName('Pots'), count: 3 })
    await page.getByRole('button', { name: 'Sell it' }).click()

    const field = page.getByLabel('Or a new category')
    await page.getByText('This is left to the admins of this shop').waitFor()
    assert.equal(await field.getAttribute('aria-invalid'), 'true')
    await field.fill('')
    await page.getByRole('button', { name: 'Sell it' }).click()
    await page.getByRole('heading', { name: 'My product' }).waitFor()
    await strict.close()
  })
})

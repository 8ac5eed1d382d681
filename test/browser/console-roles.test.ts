import assert from 'node:assert/strict'
import type { BrowserContext, Page } from 'playwright-core'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import type { AccountRoles } from '../../shared/contracts/account-operators.ts'
import { operate } from '../helpers/operator-client.ts'
import { testStack } from '../helpers/stack.ts'
import { signInOperator } from './operators.ts'
import { openBrowser, pageDeadlineMs, seriousFindings } from './visitors.ts'

describe('the console, about roles', function () {
  this.timeout(240_000)

  const open = new AsyncDisposableStack()
  let page: Page
  let api: string

  before(async () => {
    const { urls } = await testStack()
    api = urls.api
    const { browser } = open.adopt(await openBrowser(), (it) => it.close())
    const context = open.adopt(await browser.newContext(), (it: BrowserContext) => it.close())
    context.setDefaultTimeout(pageDeadlineMs)
    page = await context.newPage()
    await signInOperator(page)
    await page.getByRole('link', { name: 'Roles' }).click()
  })
  after(() => open.disposeAsync())

  async function find(email: string): Promise<void> {
    await page.getByLabel('E-mail address of the account').fill(email)
    await page.getByRole('button', { name: 'Find' }).click()
  }

  it('finds an account, replaces its roles with a note, and shows who did it', async () => {
    const { email } = await registerCustomer(api)
    await find(email)
    const account = page.getByRole('region', { name: email })
    await account.getByText('No operator has changed them.').waitFor()
    await account.getByRole('checkbox', { name: /^Seller/ }).uncheck()
    await account.getByRole('checkbox', { name: /^Admin/ }).check()
    await account.getByLabel('Note').fill('Orders the catalog')
    await account.getByRole('button', { name: 'Replace the roles' }).click()
    await account.getByText('local: buyer, admin (Orders the catalog)').waitFor()

    const { body } = await operate<AccountRoles>('GET', `/roles?email=${email}`)
    assert.deepEqual(body.roles, ['buyer', 'admin'])
    assert.equal(await account.getByRole('checkbox', { name: /^Seller/ }).isChecked(), false)
    assert.deepEqual(await seriousFindings(page), [])
  })

  it('says when there is no such account, and that an account needs a role', async () => {
    const { email } = await registerCustomer(api)
    await find(`no-${email}`)
    await page.locator('.failure:not([hidden])').waitFor()
    await find(email)
    const account = page.getByRole('region', { name: email })
    for (const role of [/^Buyer/, /^Seller/])
      await account.getByRole('checkbox', { name: role }).uncheck()
    await account.getByLabel('Note').fill('Does nothing')
    await account.getByRole('button', { name: 'Replace the roles' }).click()
    await account.locator('.failure:not([hidden])').waitFor()

    const { body } = await operate<AccountRoles>('GET', `/roles?email=${email}`)
    assert.deepEqual(body.roles, ['buyer', 'seller'])
  })
})

import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { OrderStatus } from '../../shared/contracts/order.ts'
import { PaymentStatus } from '../../shared/contracts/payment.ts'
import { PurchaseStatus } from '../../shared/contracts/purchase.ts'
import { testStack } from '../helpers/stack.ts'
import { fillProduct, signUp, uniqueName, visitEachTest } from './visitors.ts'

describe('the filters of lists in a browser', function () {
  this.timeout(240_000)

  const visit = visitEachTest()
  let page: Page

  before(async () => {
    const { urls } = await testStack()
    // The form offers categories as soon as there is one.
    await (await registerCustomer(urls.api)).createCategory(uniqueName('Pots'))
  })

  beforeEach(async () => {
    page = visit.page
    await signUp(visit.context, page)
  })

  async function sell(name: string): Promise<void> {
    await fillProduct(page, { name })
    await page.getByRole('button', { name: 'Sell it' }).click()
    await page.getByRole('heading', { name: 'My product' }).waitFor()
  }

  /** A day as an input holds it, in the time zone of the browser. */
  const dayOf = (daysLater: number) =>
    page.evaluate((days) => {
      const day = new Date()
      day.setDate(day.getDate() + days)
      const parts = [day.getFullYear(), day.getMonth() + 1, day.getDate()]
      return parts.map((part) => String(part).padStart(2, '0')).join('-')
    }, daysLater)

  const nothing = () => page.getByText('Nothing matches this filter.').waitFor()
  const asked = () => Object.fromEntries(new URL(page.url()).searchParams)

  it('narrow a list to a state, which the address keeps', async () => {
    await page.goto('/purchases')
    await page.getByText('You have bought nothing yet').waitFor()
    await page.getByLabel('Show').selectOption('Completed')
    await nothing()

    assert.deepEqual(asked(), { status: 'COMPLETED' })
  })

  it('offer every state that the API knows', async () => {
    const lists = {
      '/purchases': PurchaseStatus,
      '/orders': OrderStatus,
      '/payments': PaymentStatus,
      '/sales': PurchaseStatus,
    }
    for (const [path, { options }] of Object.entries(lists)) {
      await page.goto(path)
      await page.getByLabel('Show').waitFor()
      const offered = await page
        .getByLabel('Show')
        .locator('option')
        .evaluateAll((found) => found.map((option) => (option as HTMLOptionElement).value))

      assert.deepEqual(offered, ['', ...options], path)
    }
  })

  it('narrow a list to some days, and find nothing on another one', async () => {
    const name = uniqueName('Tray')
    await sell(name)
    const [yesterday, today] = [await dayOf(-1), await dayOf(0)]
    await page.goto('/sell')
    await page.getByLabel('From').fill(today)
    await page.getByLabel('To').fill(today)
    await page.waitForURL((url) => url.searchParams.has('from') && url.searchParams.has('to'))
    await page.getByRole('link', { name }).waitFor()
    assert.deepEqual(asked(), { from: today, to: today })

    await page.getByLabel('From').fill(yesterday)
    await page.getByLabel('To').fill(yesterday)
    await nothing()
    await page.getByLabel('To').fill('')
    await page.getByRole('link', { name }).waitFor()

    assert.deepEqual(asked(), { from: yesterday })
  })

  it('ask for a day when it is typed to its end', async () => {
    await page.goto('/orders')
    await page.getByText('There is no order yet.').waitFor()
    const days: (string | null)[] = []
    page.on('request', (request) => {
      const url = new URL(request.url())
      if (url.pathname === '/api/v1/orders') days.push(url.searchParams.get('created_from'))
    })
    await page.getByLabel('From').focus()
    await page.keyboard.type('11302026')
    await nothing()

    assert.deepEqual(asked(), { from: '2026-11-30' })
    const start = await page.evaluate(() => new Date('2026-11-30T00:00').toISOString())
    assert.deepEqual(days, [start])
  })

  it('show what is withdrawn, or what is on sale', async () => {
    const name = uniqueName('Lid')
    await sell(name)
    await page.getByRole('button', { name: 'Sell it no more' }).click()
    await page.getByRole('button', { name: 'Sell it again' }).waitFor()
    await page.goto('/sell')
    await page.getByLabel('Show').selectOption('On sale')
    await nothing()
    await page.getByLabel('Show').selectOption('Withdrawn')

    await page.getByRole('link', { name }).waitFor()
  })
})

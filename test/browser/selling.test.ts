import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { imageFile } from '../helpers/media-files.ts'
import { testStack } from '../helpers/stack.ts'
import {
  fillProduct,
  pageDeadlineMs,
  password,
  sellProduct,
  signUp,
  uniqueName,
  visitEachTest,
} from './visitors.ts'

describe('a seller and an account holder in a browser', function () {
  this.timeout(240_000)

  const visit = visitEachTest()
  let page: Page
  let api: string

  before(async () => {
    api = (await testStack()).urls.api
    // The form offers categories as soon as there is one.
    await (await registerCustomer(api)).createCategory(uniqueName('Pots'))
  })

  beforeEach(() => {
    page = visit.page
  })

  /** Signs up and sells ten of something; its id. */
  async function sell(name: string): Promise<string> {
    await signUp(visit.context, page)
    return sellOwn(name)
  }

  /** Buys one, by the pages; the id of the purchase, which has ended. */
  async function buy(productId: string): Promise<string> {
    await page.goto(`/products/${productId}`)
    await page.getByRole('button', { name: 'Add to basket' }).click()
    await page.getByRole('link', { name: 'Go to the basket' }).click()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.getByText('Completed', { exact: true }).waitFor()
    return idIn(page.url())
  }

  const idIn = (url: string) => new URL(url).pathname.split('/').at(-1) ?? ''

  async function sellOwn(name: string): Promise<string> {
    await fillProduct(page, { name, category: uniqueName('Pots') })
    await page.getByRole('button', { name: 'Sell it' }).click()
    await visit.heading('My product')
    return idIn(page.url())
  }

  it('takes stock out with a reason, removes a picture, and withdraws a product for a time', async () => {
    const id = await sell(uniqueName('Jug'))
    await page.getByLabel('How many go out').fill('11')
    await page.getByLabel('Why').fill('Broken')
    await page.getByRole('button', { name: 'Take out' }).click()
    await page.locator('.failure:not([hidden])').waitFor()
    await page.getByLabel('How many go out').fill('3')
    await page.getByRole('button', { name: 'Take out' }).click()
    await page.getByText('7 in stock').waitFor()
    const before = page.getByRole('list', { name: 'Taken out before' })
    await before.getByRole('listitem').filter({ hasText: 'Broken' }).waitFor()
    assert.match((await before.textContent()) ?? '', /Broken\s*3 taken out/)

    await page.getByLabel(/^Pictures \(png/).setInputFiles({
      ...{ name: 'jug.png', mimeType: 'image/png' },
      buffer: await imageFile('png'),
    })
    await page.getByLabel('What they show').fill('A jug')
    await page.getByRole('button', { name: 'Add the files' }).click()
    await page.getByRole('button', { name: 'Remove A jug' }).click()
    await page.getByText('0 files').waitFor()

    await page.getByRole('button', { name: 'Sell it no more' }).click()
    await page.getByRole('button', { name: 'Sell it again' }).waitFor()
    const customer = await registerCustomer(api)
    const withdrawn = await customer.buy({ order_items: [{ product_id: id, quantity: 1 }] })
    assert.equal(withdrawn.status, 422)
    await page.getByRole('button', { name: 'Sell it again' }).click()
    await page.getByText('It is sold again.').waitFor()
    const sold = await customer.buy({ order_items: [{ product_id: id, quantity: 1 }] })
    assert.equal(sold.status, 202)
  })

  it('sees what was sold and where it goes, and gives a part of the money back', async () => {
    const name = uniqueName('Bowl')
    const id = await sell(name)
    const customer = await registerCustomer(api)
    const { body } = await customer.buy({ order_items: [{ product_id: id, quantity: 2 }] })
    await customer.waitForEnd(body.purchase_id)

    await page.getByRole('link', { name: 'Sell', exact: true }).click()
    await page.getByRole('link', { name: 'What was sold' }).click()
    await page.getByText(`2 × ${name}`).first().click()
    await page.getByText('Deliver to Lan Nguyen, 123 quan 9').waitFor()
    await page.getByLabel('Amount in minor units').fill('400')
    await page.getByLabel('Reason').fill('It came with a dent')
    await page.getByRole('button', { name: 'Give back' }).click()
    await page.getByText('The refund is on its way').waitFor()

    const refundedAmount = async () =>
      (await customer.getPurchase(body.purchase_id)).refunded_amount
    const refunded = await waitFor('the refund', refundedAmount, pageDeadlineMs)
    assert.equal(refunded, 400)
    await page.reload()
    await page.getByText(/400.* given back/).waitFor()
  })

  it('pays what the button says: a price that has changed is shown first', async () => {
    const { product, seller } = await sellProduct(uniqueName('Cup'))
    await signUp(visit.context, page)
    await page.goto(`/products/${product.id}`)
    await page.getByRole('button', { name: 'Add to basket' }).click()
    await page.getByRole('link', { name: 'Go to the basket' }).click()
    await page.getByRole('button', { name: /^Buy for \D*125\D*$/ }).waitFor()
    const changed = await fetch(`${api}/api/v1/products/${product.id}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${seller.token}`,
        'content-type': 'application/json',
        'if-match': '*',
      },
      body: JSON.stringify({ price: 100_000 }),
    })
    assert.equal(changed.status, 200)

    await page.getByRole('button', { name: /^Buy for \D*125\D*$/ }).click()
    await page.locator('.failure').waitFor()
    await page.getByRole('button', { name: /^Buy for .*100,000/ }).click()
    await page.getByText('Completed', { exact: true }).waitFor()
  })

  it('downloads a copy of their data, and deletes the account with the password', async () => {
    const { product } = await sellProduct(uniqueName('Vase'))
    const { email } = await signUp(visit.context, page)
    const bought = await buy(product.id)
    const own = await sellOwn(uniqueName('Lid'))
    const customer = await registerCustomer(api)
    const { body } = await customer.buy({ order_items: [{ product_id: own, quantity: 1 }] })
    await customer.waitForEnd(body.purchase_id)
    await page.goto('/profile')
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download a copy' }).click()
    const copy = JSON.parse(await readFile(await (await downloading).path(), 'utf8'))
    assert.equal(copy.account.email, email)
    for (const name of ['purchases', 'orders', 'payments', 'products', 'sales']) {
      assert.deepEqual([copy[name].complete, copy[name].items.length], [true, 1], name)
    }
    const [purchase] = copy.purchases.items
    assert.deepEqual([purchase.purchase_id, purchase.delivery.address], [bought, '12 Hue'])
    assert.equal(copy.sales.items[0].purchase_id, body.purchase_id)
    assert.ok(!JSON.stringify(copy).includes('123 quan 9'), 'the address of a buyer is in the copy')
    await page.getByText('The copy is saved.').waitFor()

    await page.getByLabel('Password').fill('not the password')
    await page.getByRole('button', { name: 'Delete the account' }).click()
    await page.locator('.failure:not([hidden])').waitFor()
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Delete the account' }).click()
    await page.getByRole('link', { name: 'Sign in' }).waitFor()
  })
})

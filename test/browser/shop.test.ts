import assert from 'node:assert/strict'
import { imageFile } from '../helpers/media-files.ts'
import { fillProduct, sellProduct, signUp, uniqueName, visitEachTest } from './visitors.ts'

describe('the shop in a browser', function () {
  this.timeout(240_000)

  const visit = visitEachTest()
  let tea: string
  let sold: Awaited<ReturnType<typeof sellProduct>>

  before(async () => {
    tea = uniqueName('Teacup')
    sold = await sellProduct(tea)
  })

  it('is searched, and shows a product with its picture from the CDN', async () => {
    const { page, heading } = visit
    await page.goto('/')
    await page.getByLabel('Search products').fill(tea)
    await page.keyboard.press('Enter')
    await page
      .locator('.products')
      .getByRole('link', { name: new RegExp(tea) })
      .click()
    await heading(tea)

    const picture = page.getByRole('img', { name: `A picture of ${tea}` })
    await picture.waitFor()
    await page.waitForFunction(() => {
      const image = document.querySelector<HTMLImageElement>('img.picture')
      return image?.complete && image.naturalWidth > 0
    })
    assert.equal(await page.title(), `${tea} · Shop`)
  })

  it('is browsed page by page, by category', async () => {
    const { page } = visit
    for (let index = 0; index < 25; index++) {
      await sold.seller.createProduct({
        category_id: sold.category.id,
        ...{ name: `${tea} ${index}`, description: tea, brand_name: 'Hill' },
        ...{ price: 100 + index, inventory: 5 },
      })
    }

    await page.goto(`/?category=${sold.category.id}`)
    await page.getByRole('link', { name: `${tea} 24` }).waitFor()
    assert.equal(await page.locator('.products li').count(), 24)
    await page.getByRole('link', { name: 'Next page' }).click()
    await page.getByRole('link', { name: 'First page' }).waitFor()
    await page.waitForFunction(() => document.querySelectorAll('.products li').length === 2)
  })

  it('sells: a product, its pictures, a price of another day, and more stock', async () => {
    const { context, page, heading } = visit
    await signUp(context, page)
    const name = uniqueName('Pot')
    await fillProduct(page, { name, category: uniqueName('Pots'), count: 3 })
    await page.getByRole('button', { name: 'Sell it' }).click()
    await heading('My product')

    await page.getByLabel(/^Pictures \(png/).setInputFiles({
      ...{ name: 'pot.png', mimeType: 'image/png' },
      buffer: await imageFile('png'),
    })
    await page.getByLabel('What they show').fill('A pot')
    await page.getByRole('button', { name: 'Add the files' }).click()
    await page.getByText('1 files').waitFor()
    await page.getByLabel('How many come in').fill('7')
    await page.getByRole('button', { name: 'Restock' }).click()
    await page.getByText('10 in stock').waitFor()
    await page.getByLabel('Price in minor units').fill('450')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('450').first().waitFor()

    await page.getByRole('link', { name: 'Sell', exact: true }).click()
    await page.getByRole('link', { name }).waitFor()
  })
})

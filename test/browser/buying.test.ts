import assert from 'node:assert/strict'
import { commandNames, doNames } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  pageDeadlineMs,
  readAsAccepted,
  sellProduct,
  signUp,
  uniqueName,
  visitEachTest,
} from './visitors.ts'

describe('buying in a browser', function () {
  this.timeout(240_000)

  const visit = visitEachTest()
  let tea: string
  let sold: Awaited<ReturnType<typeof sellProduct>>

  before(async () => {
    tea = uniqueName('Teacup')
    sold = await sellProduct(tea)
  })

  /** Puts the product into the basket and goes there. */
  async function fillBasket(): Promise<void> {
    const { page, heading } = visit
    await page.goto(`/products/${sold.product.id}`)
    await page.getByRole('button', { name: 'Add to basket' }).click()
    await page.getByRole('link', { name: 'Go to the basket' }).click()
    await heading('Basket')
  }

  it('buys with a card, shows every step, and then the order and the payment', async () => {
    const { context, page, heading } = visit
    await signUp(context, page)
    await fillBasket()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await heading('Your purchase')
    await page.getByText('Completed', { exact: true }).waitFor()

    const steps = await page
      .getByRole('list', { name: 'Steps' })
      .getByRole('listitem')
      .allInnerTexts()
    assert.equal(steps.length, doNames.length)
    for (const text of steps) assert.match(text, /done\s*(\d+ ms|\d+\.\d s)/)
    await page.getByText('Delivery address: Mai Lan, 12 Hue, 0123456789').waitFor()
    await page.getByRole('link', { name: 'My orders' }).click()
    // The order is confirmed after the purchase has ended.
    const isConfirmed = async () => {
      await page.reload()
      await page.locator('.records li').waitFor()
      return page.locator('.records').getByText('Confirmed').isVisible()
    }
    await waitFor('the order to be confirmed', isConfirmed, pageDeadlineMs)
    await page.getByRole('link', { name: 'Payments' }).click()
    await page.locator('.records').getByText('Paid').waitFor()
    await page.getByRole('link', { name: 'Basket 0 items' }).waitFor()
  })

  it('shows how a declined purchase is undone, and tells a screen reader', async () => {
    const { context, page } = visit
    await signUp(context, page)
    await fillBasket()
    await page.getByLabel(/^Card that is declined/).check()
    // What has happened before the page is opened is not announced.
    await readAsAccepted(page, { times: 1 })
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.getByText('Rejected, everything undone').first().waitFor()

    const steps = await page
      .getByRole('list', { name: 'Steps' })
      .getByRole('listitem')
      .allInnerTexts()
    assert.equal(steps.length, commandNames.length)
    assert.equal(steps.filter((text) => /refused: the payment was declined/.test(text)).length, 1)
    assert.equal(steps.filter((text) => text.startsWith('Undo:')).length, doNames.length)
    const live = page.locator('[aria-live=polite]')
    await page.waitForFunction(() =>
      document.querySelector('[aria-live=polite]')?.textContent?.includes('everything undone'),
    )
    assert.match((await live.textContent()) ?? '', /everything undone/)
  })

  it('cancels a purchase whose payment hangs', async () => {
    const { context, page } = visit
    await signUp(context, page)
    await fillBasket()
    await page.getByLabel(/^Card that hangs/).check()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.getByRole('button', { name: 'Cancel the purchase' }).click()

    await page.getByText('Cancelled, everything undone').first().waitFor()
  })

  it('buys once, however often the button is pressed and the answer is lost', async () => {
    const { context, page, heading } = visit
    await signUp(context, page)
    await fillBasket()
    let lost = 0
    const pressedTwice = Promise.withResolvers<void>()
    await page.route('**/api/v1/purchases', async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.continue()
      lost++
      await route.fetch()
      await pressedTwice.promise
      return route.abort('connectionreset')
    })
    await page.getByRole('button', { name: /^Buy for/ }).dblclick()
    pressedTwice.resolve()
    await page.getByText('The shop could not be reached').waitFor()
    await page.reload()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.getByText('Completed', { exact: true }).waitFor()

    await page.getByRole('link', { name: 'Purchases', exact: true }).first().click()
    // The page of a purchase has a list of records too.
    await heading('My purchases')
    await page.locator('.records li').first().waitFor()
    assert.equal(await page.locator('.records li').count(), 1)
  })

  it('is used through a whole purchase by keyboard alone', async () => {
    const { context, page, heading } = visit
    await signUp(context, page)
    await page.goto(`/products/${sold.product.id}`)
    await heading(tea)

    /** Presses Tab until the named thing has the focus, which must be visible. */
    async function tabTo(name: RegExp): Promise<void> {
      for (let presses = 0; presses < 60; presses++) {
        await page.keyboard.press('Tab')
        const focused = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement | null
          const label = (element as HTMLInputElement | null)?.labels?.[0]
          return {
            name: `${label?.textContent ?? ''} ${element?.textContent ?? ''}`,
            outlined: element ? getComputedStyle(element).outlineStyle !== 'none' : false,
          }
        })
        if (!name.test(focused.name)) continue
        assert.ok(focused.outlined, `the focus on ${name} cannot be seen`)
        return
      }
      throw new Error(`Tab does not lead to ${name}`)
    }

    await tabTo(/Add to basket/)
    await page.keyboard.press('Enter')
    await tabTo(/Go to the basket/)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^Buy for/ }).waitFor()
    await tabTo(/^Card The payment works/)
    await page.keyboard.press('ArrowDown')
    await tabTo(/^ ?Buy for/)
    await page.keyboard.press('Enter')

    await page.getByText('Rejected, everything undone').first().waitFor({ timeout: pageDeadlineMs })
  })
})

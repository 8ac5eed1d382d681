import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { type PagePath, pagePaths } from '../../shared/contracts/pages.ts'
import { testStack } from '../helpers/stack.ts'
import {
  openBrowser,
  openVisitor,
  pageDeadlineMs,
  sellProduct,
  seriousFindings,
  sessionKnown,
  signUp,
  uniqueName,
} from './visitors.ts'

type Opened = Awaited<ReturnType<typeof openBrowser>>
type Visitor = Awaited<ReturnType<typeof openVisitor>>

/** How long to look for a view that other work of the machine does not slow down. */
const viewsMs = 120_000

type Sized = { transferSize: number }

/** Pages that only a visitor without a session sees as they are. */
const forVisitors: PagePath[] = ['/login', '/register', '/forgot', '/reset', '/verify']

describe('every page in a browser', function () {
  this.timeout(240_000)

  let opened: Opened
  let sold: Awaited<ReturnType<typeof sellProduct>>
  let purchaseId: string
  const ids = new Map<PagePath, string>()

  before(async () => {
    opened = await openBrowser()
    sold = await sellProduct(uniqueName('Teapot'))
  })

  after(() => opened?.close())

  const addressOf = (path: PagePath) => path.replace(':id', ids.get(path) ?? '')

  /** What is on a page when all that it asks for is there. */
  async function show(page: Page, path: PagePath): Promise<void> {
    await page.goto(addressOf(path))
    await page.getByRole('heading', { level: 1 }).waitFor()
    await sessionKnown(page)
    await page.waitForFunction(() => document.querySelector('.waiting') === null)
  }

  /** A customer who has bought and sells something, in a colour scheme and on a screen. */
  async function openCustomer(options: Parameters<typeof openVisitor>[1]): Promise<Visitor> {
    const visitor = await openVisitor(opened.browser, options)
    await signUp(visitor.context, visitor.page)
    const { urls } = await testStack()
    const refreshed = await visitor.context.request.post(
      `${urls.api}/api/v1/account/session/refresh`,
      { headers: { 'sec-fetch-site': 'same-origin' } },
    )
    const headers = {
      authorization: `Bearer ${((await refreshed.json()) as { access_token: string }).access_token}`,
    }
    const bought = await visitor.context.request.post(`${urls.api}/api/v1/purchases`, {
      headers: { ...headers, prefer: 'wait=30' },
      timeout: pageDeadlineMs,
      data: {
        order_items: [{ product_id: sold.product.id, quantity: 1 }],
        payment: { currency_code: 'VND', method: 'sim_declined' },
      },
    })
    purchaseId = ((await bought.json()) as { purchase_id: string }).purchase_id
    const own = await visitor.context.request.post(`${urls.api}/api/v1/products`, {
      headers,
      data: {
        category_id: sold.category.id,
        ...{ name: uniqueName('Pot'), description: 'A pot', brand_name: 'Hill' },
        ...{ price: 5, inventory: 0 },
      },
    })
    ids.set('/products/:id', sold.product.id)
    ids.set('/purchases/:id', purchaseId)
    ids.set('/sell/:id', ((await own.json()) as { id: string }).id)
    const basket = JSON.stringify([{ id: sold.product.id, quantity: 2 }])
    await visitor.context.addInitScript((lines) => localStorage.setItem('basket', lines), basket)
    return visitor
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no serious finding of axe with ${colorScheme} colours`, async () => {
      const customer = await openCustomer({ colorScheme, reducedMotion: 'reduce' })
      const stranger = await openVisitor(opened.browser, { colorScheme, reducedMotion: 'reduce' })
      const found: string[] = []
      for (const path of pagePaths) {
        const { page } = forVisitors.includes(path) ? stranger : customer
        await show(page, path)
        found.push(...(await seriousFindings(page)).map((finding) => `${path}: ${finding}`))
      }
      await customer.context.close()
      await stranger.context.close()

      assert.deepEqual(found, [])
      assert.deepEqual(customer.faults, { policy: [], errors: [], foreign: [] })
    })
  }

  it('fits the width of a phone', async () => {
    const viewport = { width: 320, height: 640 }
    const customer = await openCustomer({ viewport, reducedMotion: 'reduce' })
    const stranger = await openVisitor(opened.browser, { viewport })
    const wide: string[] = []
    for (const path of pagePaths) {
      const { page } = forVisitors.includes(path) ? stranger : customer
      await show(page, path)
      const width = await page.evaluate(() => document.documentElement.scrollWidth)
      if (width > viewport.width) wide.push(`${path}: ${width}`)
    }
    await customer.context.close()
    await stranger.context.close()

    assert.deepEqual(wide, [])
  })

  it('moves nothing for those who want no motion', async () => {
    const { context, page } = await openCustomer({ reducedMotion: 'reduce' })
    await show(page, '/purchases/:id')

    const moving = await page.evaluate(() => document.getAnimations().length)
    await context.close()

    assert.equal(moving, 0)
  })

  it('says so when there is no such page, and leads back', async () => {
    const { context, page } = await openVisitor(opened.browser)
    const response = await page.goto('/no/such/page')
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
    await page.getByRole('link', { name: 'Look at the products' }).click()
    await page.getByRole('heading', { name: 'Products' }).waitFor()
    await context.close()

    assert.equal(response?.status(), 404)
  })

  /** Loads the front page as a new visitor does: what of the shop is transferred, and when it is painted. */
  async function firstView() {
    const { context, page } = await openVisitor(opened.browser)
    await page.goto('/')
    await page.locator('.products li').first().waitFor()
    const paints = await page.evaluate(
      () =>
        new Promise<{ first: number; largest: number }>((resolve) => {
          new PerformanceObserver((list) => {
            const [paint] = performance.getEntriesByName('first-contentful-paint')
            const largest = list.getEntries().at(-1)?.startTime ?? 0
            resolve({ first: paint?.startTime ?? 0, largest })
          }).observe({ type: 'largest-contentful-paint', buffered: true } as never)
        }),
    )
    const bytes = await page.evaluate(() =>
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter(({ name }) => name.startsWith(location.origin))
        .reduce((sum, entry) => sum + (entry as unknown as Sized).transferSize, 0),
    )
    await context.close()
    return { ...paints, bytes }
  }

  it('loads the first view in 150 KB, and paints it in time', async () => {
    const views: Awaited<ReturnType<typeof firstView>>[] = []
    // The best of three, or of all in this time: whatever else the machine does is no matter of the page.
    const best = (of: 'first' | 'largest' | 'bytes') => Math.min(...views.map((view) => view[of]))
    const isSlow = () => best('first') > 1_000 || best('largest') > 1_500
    const end = Date.now() + viewsMs
    while (views.length < 3 || (isSlow() && Date.now() < end)) views.push(await firstView())

    assert.ok(best('bytes') > 10_000 && best('bytes') < 150_000, JSON.stringify(views))
    assert.ok(best('first') > 0 && best('first') <= 1_000, JSON.stringify(views))
    assert.ok(best('largest') <= 1_500, JSON.stringify(views))
  })
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import axe from 'axe-core'
import type { Browser, BrowserContext, BrowserContextOptions, Page, Route } from 'playwright-core'
import { launchBrowser } from '../../scripts/browser.ts'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { imageFile } from '../helpers/media-files.ts'
import { testStack } from '../helpers/stack.ts'

/** Generous: the machine also runs the whole shop. */
export const pageDeadlineMs = 60_000

let launched: Promise<Browser> | undefined
let users = 0

/** The one browser of a test run. Each test file that opens it closes it. */
export async function openBrowser() {
  users++
  launched ??= launchBrowser()
  const browser = await launched
  return {
    browser,
    async close() {
      users--
      if (users > 0) return
      launched = undefined
      await browser.close()
    },
  }
}

/** What a page must not do: break the policy, throw, or ask another origin than the shop and its CDN. */
export type Faults = { policy: string[]; errors: string[]; foreign: string[] }

/**
 * A visitor with a browser profile of their own, on the front page's address. Faults of all their pages are collected.
 */
export async function openVisitor(browser: Browser, options: BrowserContextOptions = {}) {
  const { urls } = await testStack()
  const context = await browser.newContext({ baseURL: urls.api, ...options })
  context.setDefaultTimeout(pageDeadlineMs)
  const faults: Faults = { policy: [], errors: [], foreign: [] }
  const own = [options.baseURL ?? urls.api, urls.cdn].map((url) => new URL(url).origin)
  context.on('request', (request) => {
    if (!own.includes(new URL(request.url()).origin)) faults.foreign.push(request.url())
  })
  context.on('weberror', (error) => faults.errors.push(String(error.error())))
  context.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.policy.push(message.text())
  })
  return { context, page: await context.newPage(), faults }
}

/** Each test of a file has a visitor of its own, whose pages must have no faults when it ends. */
export function visitEachTest() {
  let opened: Awaited<ReturnType<typeof openBrowser>>
  let visitor: Awaited<ReturnType<typeof openVisitor>>

  before(async () => {
    opened = await openBrowser()
  })

  after(() => opened?.close())

  beforeEach(async () => {
    visitor = await openVisitor(opened.browser)
  })

  afterEach(async () => {
    await leave(visitor.context)
    assert.deepEqual(visitor.faults, { policy: [], errors: [], foreign: [] })
  })

  return {
    get context() {
      return visitor.context
    },
    get page() {
      return visitor.page
    },
    heading: (name: string) => visitor.page.getByRole('heading', { level: 1, name }).waitFor(),
  }
}

/**
 * Closes the pages of a visitor. A handler of a request that is under way then, such as one that the page sends from
 * time to time, would fail without its page.
 */
export async function leave(context: BrowserContext): Promise<void> {
  const pages = context.pages().map((page) => page.unrouteAll({ behavior: 'ignoreErrors' }))
  await Promise.all(pages)
  await context.close()
}

/**
 * The page reads a purchase as it was when it was accepted, so many times, however far it has come: all that happened
 * since then comes by the stream of its steps.
 */
export async function readAsAccepted(page: Page, options: { times?: number } = {}): Promise<void> {
  const accepted = async (route: Route) => {
    const response = await route.fetch()
    const purchase = (await response.json()) as object
    await route.fulfill({ response, json: { ...purchase, status: 'ACCEPTED', steps: [] } })
  }
  await page.route('**/api/v1/purchases/*', accepted, options)
}

/** Until the page knows whether it has a session: a page that is left before that loses the answer. */
export function sessionKnown(page: Page): Promise<void> {
  const links = page.locator('header a[href="/login"], header a[href="/profile"]')
  return links.first().waitFor({ state: 'attached' })
}

/** What axe finds on the page as it is now, and counts as serious or worse. */
export async function seriousFindings(page: Page): Promise<string[]> {
  // By the debugger: the policy of the page lets no other script in.
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run(document),
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

export const password = 'correct horse battery'

/** A new customer, whose session the context's cookies hold. The page is on the front page afterwards. */
export async function signUp(context: BrowserContext, page: Page): Promise<{ email: string }> {
  const email = `visitor-${randomBytes(6).toString('hex')}@example.com`
  const { urls } = await testStack()
  const response = await context.request.post(`${urls.api}/api/v1/account/session/register`, {
    headers: { 'sec-fetch-site': 'same-origin' },
    data: {
      ...{ email, password, first_name: 'Mai', last_name: 'Lan' },
      ...{ address: '12 Hue', phone_number: '0123456789' },
    },
  })
  if (response.status() !== 201) throw new Error(`not registered: ${await response.text()}`)
  // What the page remembers when it signs in.
  await context.addInitScript(() => {
    // A new tab's empty page has no storage.
    if (location.protocol !== 'about:') localStorage.setItem('signed-in', '1')
  })
  await page.goto('/')
  await sessionKnown(page)
  return { email }
}

/** A product of a seller of its own, with a picture. */
export async function sellProduct(name: string, inventory = 1_000) {
  const { urls } = await testStack()
  const seller = await registerCustomer(urls.api)
  const category = await seller.createCategory(`Of ${name}`)
  const product = await seller.createProduct({
    category_id: category.id,
    ...{ name, description: `${name}, glazed by hand`, brand_name: 'Hill', price: 125, inventory },
  })
  await seller.addPicture(product.id, `A picture of ${name}`, await imageFile('png'))
  return { product, seller, category }
}

/** Opens the form of a new product and fills it in. A shop without a category needs a new one. */
export async function fillProduct(
  page: Page,
  { name, category, count = 10 }: { name: string; category?: string; count?: number },
): Promise<void> {
  await page.goto('/sell/new')
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Brand').fill('Hill')
  await page.getByLabel('Description').fill('For tea')
  if (category !== undefined) await page.getByLabel('Or a new category').fill(category)
  await page.getByLabel('Price in minor units').fill('500')
  await page.getByLabel('How many are there').fill(String(count))
}

/** A name that no other test uses. */
export function uniqueName(what: string): string {
  return `${what} ${randomBytes(4).toString('hex')}`
}

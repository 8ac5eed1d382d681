import assert from 'node:assert/strict'
import type { BrowserContext, Page } from 'playwright-core'
import { commandNames } from '../../shared/contracts/steps.ts'
import { testStack } from '../helpers/stack.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'
import {
  type Faults,
  leave,
  openBrowser,
  openVisitor,
  readAsAccepted,
  sellProduct,
  signUp,
  uniqueName,
} from './visitors.ts'

type Opened = Awaited<ReturnType<typeof openBrowser>>

/** Long enough for a process that was killed to be there again, on a busy machine. */
const healedMs = 120_000

describe('watching a purchase in a browser', function () {
  this.timeout(300_000)

  let opened: Opened
  let context: BrowserContext
  let page: Page
  let faults: Faults
  let productId: string
  /** Between the browser and the shop. */
  let proxy: Awaited<ReturnType<typeof createTcpProxy>>

  before(async () => {
    opened = await openBrowser()
    productId = (await sellProduct(uniqueName('Bowl'))).product.id
    const { ports } = await testStack()
    proxy = await createTcpProxy({ host: '127.0.0.1', port: ports.web })
  })

  after(async () => {
    await opened?.close()
    await proxy?.close()
  })

  beforeEach(async () => {
    const visitor = await openVisitor(opened.browser, {
      baseURL: `http://127.0.0.1:${proxy.port}`,
    })
    context = visitor.context
    page = visitor.page
    faults = visitor.faults
    await signUp(context, page)
    await buyHanging()
  })

  afterEach(async () => {
    await leave(context)
    assert.deepEqual(faults, { policy: [], errors: [], foreign: [] })
  })

  /** A purchase that goes on for half a minute: its order is created, and its payment hangs. */
  async function buyHanging(): Promise<void> {
    await page.goto(`/products/${productId}`)
    await page.getByRole('button', { name: 'Add to basket' }).click()
    await page.getByRole('link', { name: 'Go to the basket' }).click()
    await page.getByLabel(/^Card that hangs/).check()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await stepOf(page, 'Create the order').getByText('done').waitFor()
  }

  const stepsOf = (of: Page) => of.getByRole('list', { name: 'Steps' })
  const stepOf = (of: Page, name: string) =>
    stepsOf(of).getByRole('listitem').filter({ hasText: name })

  async function sawItUndone(of: Page): Promise<void> {
    await of.getByText('Rejected, everything undone').first().waitFor({ timeout: healedMs })
    const steps = await stepsOf(of).getByRole('listitem').allInnerTexts()
    assert.equal(steps.length, commandNames.length, steps.join('\n'))
    assert.ok(steps.some((text) => /refused: no answer in time/.test(text)))
  }

  it('goes on after a reload in the middle, and in a second tab', async () => {
    const second = await context.newPage()
    await second.goto(page.url())
    await page.reload()
    await stepsOf(page).getByText('Create the order').waitFor()

    await Promise.all([sawItUndone(page), sawItUndone(second)])
  })

  it('shows that the purchase is in progress with its first step, whatever was read before', async () => {
    await readAsAccepted(page)
    await page.reload()
    await stepsOf(page).getByText('done').first().waitFor()

    await page.getByText('In progress', { exact: true }).first().waitFor()
    assert.equal(await page.getByText('Accepted', { exact: true }).count(), 0)
  })

  it('says that no answer has come yet of a step that takes long', async () => {
    await stepOf(page, 'Take the payment').getByText('under way, no answer yet').waitFor()
  })

  it('goes on after the connection was cut and services were killed meanwhile', async () => {
    proxy.cut()
    await page.getByText('Connecting again').first().waitFor()
    proxy.heal()
    const stack = await testStack()
    for (const service of ['purchase', 'payment', 'account']) {
      await stack.signal(service, 'SIGKILL')
      await stack.ensure()
    }

    await sawItUndone(page)
  })

  it('keeps a customer signed in whose access token has expired', async () => {
    let refused = 0
    await page.route('**/api/v1/orders*', async (route) => {
      if (refused > 0) return route.continue()
      refused++
      return route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{}' })
    })
    await page.getByRole('link', { name: 'Purchases', exact: true }).first().click()
    await page.getByRole('link', { name: 'Orders', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'Orders' }).waitFor()
    await page.locator('.records li').first().waitFor()

    assert.equal(refused, 1)
  })

  it('ends in all tabs when one signs out', async () => {
    const second = await context.newPage()
    await second.goto('/profile')
    await second.getByRole('button', { name: 'Sign out', exact: true }).click()
    await second.getByRole('link', { name: 'Sign in' }).waitFor()

    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  })
})

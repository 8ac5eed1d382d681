import assert from 'node:assert/strict'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import type { DeadLetterSummary } from '../../shared/contracts/console.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { operatorPagePaths } from '../../shared/contracts/pages.ts'
import { connectRawProducer } from '../../shared/kafka/raw-messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { operate } from '../helpers/operator-client.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'
import { signInOperator } from './operators.ts'
import { openBrowser, pageDeadlineMs, seriousFindings } from './visitors.ts'

describe('the pages of the console, in a browser', function () {
  this.timeout(240_000)

  const open = new AsyncDisposableStack()
  let browser: Awaited<ReturnType<typeof openBrowser>>['browser']
  let base: string
  let purchaseId: string
  let buy: (method: 'sim_declined' | 'sim_timeout') => Promise<string>

  before(async () => {
    const { urls } = await testStack()
    base = urls.operators
    browser = open.adopt(await openBrowser(), (it) => it.close()).browser
    const customer = await registerCustomer(urls.api)
    const product = await sellTea(customer, 10)
    const order_items = [{ product_id: product.id, quantity: 1 }]
    buy = async (method) => (await customer.buy({ order_items, method })).body.purchase_id
    purchaseId = await buy('sim_declined')
    await customer.waitForEnd(purchaseId)
  })
  after(() => open.disposeAsync())

  async function newPage(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext(options)
    open.adopt(context, (it: BrowserContext) => it.close())
    context.setDefaultTimeout(pageDeadlineMs)
    return context.newPage()
  }

  /** What is on a page when all that it asks for is there. */
  async function show(page: Page, path: string): Promise<void> {
    await page.goto(base + path.replace(':id', purchaseId))
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.waitForFunction(() => document.querySelector('.waiting') === null)
  }

  function deadLetterOf(key: string): Promise<DeadLetterSummary> {
    const path = `/dead-letters?topic=emails&purchase_id=${key}`
    const find = () => operate<{ items: DeadLetterSummary[] }>('GET', path)
    return waitFor('the dead letter', async () => (await find()).body.items[0], pageDeadlineMs)
  }

  /** A message that no consumer can handle, put aside. */
  async function deadLetter(key = newId()): Promise<DeadLetterSummary> {
    const { urls } = await testStack()
    const producer = await connectRawProducer(urls.kafkaBrokers)
    await producer.send('emails', { key, value: `garbage ${key}`, headers: { name: 'any' } })
    await producer.close()
    return deadLetterOf(key)
  }

  it('ask for a token, and say that a wrong one is refused', async () => {
    const page = await newPage()
    await page.goto(`${base}/console`)
    await page.getByLabel('Operator token').fill('x'.repeat(40))
    await page.getByRole('button', { name: 'Sign in' }).click()

    await page.getByRole('alert').filter({ hasText: 'token' }).waitFor()
  })

  it('find a saga and show its timeline, by keyboard alone', async () => {
    const page = await newPage()
    await signInOperator(page)
    await page.getByLabel('Purchase', { exact: true }).focus()
    await page.keyboard.type(purchaseId)
    await page.keyboard.press('Enter')

    await page.getByRole('heading', { name: `Saga of ${purchaseId}` }).waitFor()
    await page.getByText('reply take-payment: rejected: payment_declined').waitFor()
    await page.getByText('In the Temporal Web UI').waitFor()
  })

  it('follow a saga to its end, and ask no more then', async () => {
    const page = await newPage()
    await signInOperator(page)
    let asked = 0
    page.on('request', (request) => {
      if (request.url().endsWith(`/sagas/${purchaseId}/events`)) asked += 1
    })
    await page.goto(`${base}/console/sagas/${purchaseId}`)
    const stream = page.locator('.title .muted')
    await stream.waitFor({ state: 'attached' })
    const hasEnded = async () => (await stream.textContent()) === ''
    await waitFor('the stream to end', hasEnded, pageDeadlineMs)

    // Nothing of the page connects again, which a lost stream would have done by now.
    await page.goto(`${base}/console`)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    assert.equal(asked, 1)
  })

  it('say why an action is refused, and offer none for a saga that has ended', async () => {
    const page = await newPage()
    await signInOperator(page)
    await show(page, `/console/sagas/${purchaseId}`)
    await page.getByRole('heading', { name: 'Timeline' }).waitFor()
    assert.equal(await page.getByRole('button', { name: 'Cancel' }).count(), 0)

    await page.goto(`${base}/console/sagas/${await buy('sim_timeout')}`)
    await page.getByRole('button', { name: 'Cancel' }).click()

    await page.getByRole('alert').filter({ hasText: 'note' }).waitFor()
  })

  it('end the session on request', async () => {
    const page = await newPage()
    await signInOperator(page)
    await page.getByRole('button', { name: /^Sign out/ }).click()

    await page.getByLabel('Operator token').waitFor()
    await page.reload()
    await page.getByLabel('Operator token').waitFor()
  })

  for (const scheme of ['light', 'dark'] as const) {
    it(`have no serious finding of axe, ${scheme}`, async () => {
      const page = await newPage({ colorScheme: scheme })
      await page.goto(`${base}/console`)
      await page.getByLabel('Operator token').waitFor()
      assert.deepEqual(await seriousFindings(page), [], 'sign-in')
      await signInOperator(page)
      for (const path of operatorPagePaths) {
        await show(page, path)
        assert.deepEqual(await seriousFindings(page), [], path)
      }
    })
  }

  it('fit the width of a phone', async () => {
    const viewport = { width: 320, height: 640 }
    const page = await newPage({ viewport })
    const widthOf = () => page.evaluate(() => document.documentElement.scrollWidth)
    await page.goto(`${base}/console`)
    await page.getByLabel('Operator token').waitFor()
    const widths = [`sign-in: ${await widthOf()}`]
    await signInOperator(page)
    for (const path of operatorPagePaths) {
      await show(page, path)
      widths.push(`${path}: ${await widthOf()}`)
    }

    assert.deepEqual(
      widths.filter((width) => !width.endsWith(`: ${viewport.width}`)),
      [],
    )
  })

  it('show a dead letter, discard it with a note, and replay another one', async () => {
    const page = await newPage()
    await signInOperator(page)
    const [discarded, replayed] = [await deadLetter(), await deadLetter()]
    await page.getByRole('link', { name: 'Dead letters' }).click()
    const state = page.getByLabel('State', { exact: true })
    const open = ({ id }: DeadLetterSummary) =>
      page.getByRole('button', { name: `Show ${id}`, exact: true })
    const details = ({ id }: DeadLetterSummary) => page.getByRole('region', { name: id })
    const act = (name: RegExp) => page.getByRole('button', { name }).click()

    await open(discarded).click()
    await details(discarded).getByText(`garbage ${discarded.purchase_id}`).waitFor()
    await act(/^Discard/)
    await page.getByRole('alert').filter({ hasText: 'note' }).waitFor()
    await page.getByLabel('Note').fill('put in by a test')
    await act(/^Discard/)
    await open(discarded).waitFor({ state: 'detached' })
    await open(replayed).click()
    await act(/^Replay/)
    await open(replayed).waitFor({ state: 'detached' })
    const again = await deadLetterOf(replayed.purchase_id ?? '')

    assert.notEqual(again.id, replayed.id)
    await operate('POST', `/${again.id}/discard`, { body: { note: 'put in by a test' } })
    await state.selectOption('discarded')
    await open(discarded).click()
    await details(discarded).getByText('"note": "put in by a test"').waitFor()
    await state.selectOption('replayed')
    await open(replayed).click()
    await details(replayed).getByText('"operator": "local"').waitFor()
  })

  it('ask nothing of another origin, and are not to be had at the public entry point', async () => {
    const { urls } = await testStack()
    const page = await newPage()
    const foreign: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(base)) foreign.push(request.url())
    })
    await signInOperator(page)
    await page.goto(`${base}/console/sagas/${purchaseId}`)
    await page.getByRole('heading', { name: `Saga of ${purchaseId}` }).waitFor()

    assert.deepEqual(foreign, [])
    for (const path of ['/console', '/lab', '/console.html', `/console/sagas/${purchaseId}`]) {
      assert.equal((await fetch(urls.api + path)).status, 404, path)
    }
  })
})

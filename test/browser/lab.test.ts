import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { tourEnv } from '../../lab/profile.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'
import { openBrowser, openVisitor, seriousFindings } from './visitors.ts'

type Visitor = Awaited<ReturnType<typeof openVisitor>>

/** Time to see what is to be seen meanwhile, on a busy machine. */
const faultSeconds = 20
/** For a service to be killed and to be back, on a busy machine. */
const healedMs = 120_000

describe('the failure lab in a browser', function () {
  this.timeout(600_000)

  const open = new AsyncDisposableStack()
  let own: OwnStack
  let visitor: Visitor
  let page: Page

  before(async () => {
    own = open.adopt(await startOwnStack({ lab: true, env: tourEnv }), (it) => it.close())
    const { browser } = open.adopt(await openBrowser(), (it) => it.close())
    visitor = await openVisitor(browser, { baseURL: own.stack.urls.operators })
    open.defer(() => visitor.context.close())
    page = visitor.page
    await page.goto('/lab')
    await page.getByLabel('Operator token').fill(own.stack.secrets.operatorToken)
    await page.keyboard.press('Enter')
    await section('What must always hold').waitFor()
  })
  after(() => open.disposeAsync())

  const section = (name: string) => page.getByRole('region', { name })

  async function figure(name: string): Promise<number> {
    const label = section('Buyers').locator('dt').getByText(name, { exact: true })
    if ((await label.count()) === 0) return 0
    return Number(await label.locator('..').locator('dd').textContent())
  }

  /** A stream of buyers lasts a minute, and may end at this moment. */
  async function keepBuying(): Promise<void> {
    const start = section('Buyers').getByRole('button', { name: /^Buy twice a second/ })
    const stop = section('Buyers').getByRole('button', { name: 'Stop' })
    await start.or(stop).waitFor()
    if (await stop.isVisible()) return
    await start.click()
    await stop.waitFor()
  }

  /** Buys until a figure of the buyers is that high. */
  const buyUntil = (name: string, atLeast: number) =>
    waitFor(
      `${atLeast} ${name}`,
      async () => {
        await keepBuying()
        return (await figure(name)) >= atLeast
      },
      healedMs,
    )

  const clock = async () => Number.parseFloat((await page.locator('.clock').textContent()) ?? '')

  /** How often the invariants were checked, when each of them holds and none was ever violated. */
  async function checksThatHold(): Promise<number> {
    const checks = section('What must always hold')
    await checks.getByText(/^Checked/).waitFor()
    const found = await checks.getByRole('listitem').allInnerTexts()
    assert.ok(found.length >= 4, found.join('\n'))
    assert.deepEqual(
      found.filter((text) => !text.startsWith('✓ holds')),
      [],
    )
    const summary = (await checks.getByText(/^Checked/).textContent()) ?? ''
    assert.match(summary, /Nothing was ever violated/)
    return Number(/Checked (\d+) times/.exec(summary)?.[1] ?? 1)
  }

  async function assertAccessible(when: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      assert.deepEqual(await seriousFindings(page), [], `${when}, ${colorScheme}`)
    }
  }

  const paymentState = async () =>
    (await own.stack.status()).processes.find(({ name }) => name === 'payment')?.state

  it('shows purchases that wait while payment is killed, and end when it is back', async () => {
    await buyUntil('completed', 1)
    const faults = section('Break something')
    assert.equal(await faults.getByLabel('What').inputValue(), 'kill-service')
    assert.equal(await faults.getByLabel('Which').inputValue(), 'payment')
    await faults.getByLabel('Seconds').fill(String(faultSeconds))
    await faults.getByRole('button', { name: 'Break it' }).click()
    await faults.getByText('Kill a service: payment until').waitFor()
    await page.getByText('The clock starts when the fault is over.').waitFor()
    await waitFor('payment to be down', async () => (await paymentState()) === 'stopped')
    await buyUntil('processing', 1)
    const checkedBefore = await checksThatHold()
    await assertAccessible('while something is broken')

    const recovery = section('Recovery clock')
    await recovery.getByText('The fault was over at').waitFor({ timeout: healedMs })
    assert.equal(await paymentState(), 'ready')
    await recovery.getByText('Every purchase from before has ended.').waitFor({ timeout: healedMs })
    const recovered = await clock()
    const later = (await figure('completed')) + 3
    await buyUntil('completed', later)

    // What was bought after the fault does not move the clock.
    assert.equal(await clock(), recovered)
    assert.ok(recovered > 0, `${recovered} s`)
    assert.ok((await checksThatHold()) > checkedBefore)
    await assertAccessible('when all is whole again')
  })

  it('says when there are too many purchases to be checked every second', async () => {
    const busy = await visitor.context.newPage()
    await busy.route('**/api/v1/lab/events', async (route) => {
      const { urls, secrets } = own.stack
      const headers = { authorization: `Bearer ${secrets.operatorToken}` }
      const state = await (await fetch(`${urls.operators}/api/v1/lab`, { headers })).json()
      const data = JSON.stringify({ ...state, too_many_purchases: true, invariants: null })
      await route.fulfill({
        contentType: 'text/event-stream',
        body: `event: lab\ndata: ${data}\n\n`,
      })
    })
    await busy.goto('/lab')

    await busy.getByText('Not checked: there are too many purchases').waitFor()
    // The page asks again and again.
    await busy.unrouteAll({ behavior: 'ignoreErrors' })
    await busy.close()
  })

  it('takes a visitor on a tour, also while buyers buy, at whose end the invariants hold', async () => {
    await keepBuying()
    const recovered = await clock()
    const checkedBefore = await checksThatHold()
    const tours = section('Take a tour')
    await tours.getByText(/^All of these, one after the other. Takes minutes/).waitFor()
    await tours.getByRole('button', { name: '200 buyers for 50 units' }).click()
    await tours.getByText('200 buyers want one of 50 units').waitFor()
    await tours
      .getByRole('heading', { name: '200 buyers for 50 units: the invariants hold' })
      .waitFor({ timeout: healedMs })

    await tours.getByText('50 of 200 got one').waitFor()
    assert.ok((await checksThatHold()) > checkedBefore)
    // There was no fault in it.
    assert.equal(await clock(), recovered)
    await assertAccessible('after a tour')
  })

  it('keeps to the policy of the pages, and asks nothing of another origin', () => {
    assert.deepEqual(visitor.faults, { policy: [], errors: [], foreign: [] })
  })
})

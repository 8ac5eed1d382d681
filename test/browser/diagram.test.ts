import assert from 'node:assert/strict'
import { slowly } from '../../scripts/docs/pictures/slow-replies.ts'
import { testStack } from '../helpers/stack.ts'
import {
  leave,
  openBrowser,
  openVisitor,
  readAsAccepted,
  sellProduct,
  signUp,
  uniqueName,
} from './visitors.ts'

type Seen = { lanes: string[] }

/** The participants have just been restarted. */
const undoneMs = 120_000

/** How product, order and payment stand, one after the other, while a declined purchase goes there and back. */
const course = [
  'done asked todo',
  'done done asked',
  'done done undo-asked',
  'done undo-asked undo-done',
  'undo-asked undo-done undo-done',
  'undo-done undo-done undo-done',
]

describe('the diagram of a purchase in a browser', function () {
  this.timeout(240_000)

  let opened: Awaited<ReturnType<typeof openBrowser>>

  before(async () => {
    opened = await openBrowser()
  })
  after(() => opened?.close())

  it('shows where a declined purchase is at each moment, there and back', async () => {
    const { product } = await sellProduct(uniqueName('Vase'))
    const { context, page, faults } = await openVisitor(opened.browser)
    await signUp(context, page)
    await page.goto(`/products/${product.id}`)
    await page.getByRole('button', { name: 'Add to basket' }).click()
    await page.getByRole('link', { name: 'Go to the basket' }).click()
    await page.getByLabel(/^Card that is declined/).check()

    await slowly(await testStack(), async () => {
      await page.evaluate(() => {
        const seen: string[] = []
        Object.assign(globalThis, { lanes: seen })
        new MutationObserver(() => {
          const lanes = [...document.querySelectorAll('.diagram .lane')]
            .map((lane) => lane.getAttribute('class')?.replace('lane ', ''))
            .join(' ')
          if (lanes && lanes !== seen.at(-1)) seen.push(lanes)
        }).observe(document, { subtree: true, childList: true, attributes: true })
      })
      // Each step is shown, also one that was done before the page was opened. What the page reads from time to time
      // would show two at once that the stream has still to tell.
      await readAsAccepted(page)
      await page.getByRole('button', { name: /^Buy for/ }).click()
      await page.getByText('Rejected, everything undone').first().waitFor({ timeout: undoneMs })
    })
    const seen = await page.evaluate(() => (globalThis as unknown as Seen).lanes)
    await leave(context)

    // Whether one sees the first step under way depends on when the stream begins.
    assert.deepEqual(
      seen.filter((lanes) => !lanes.endsWith('todo todo')),
      course,
    )
    assert.deepEqual(faults, { policy: [], errors: [], foreign: [] })
  })
})

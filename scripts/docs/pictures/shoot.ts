import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import sharp from 'sharp'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { namespace } from '../../../temporal/setup.ts'
import { launchBrowser } from '../../browser.ts'
import type { Stack } from '../../stack/client.ts'
import { registerCustomer } from '../../stack/shop-client.ts'
import { type StackOptions, startStack } from '../../stack/start.ts'
import { sellWares, wares } from '../../web/wares.ts'
import { film } from './animation.ts'
import { course, limits } from './boards/course.ts'
import { photographBoards } from './boards/photograph.ts'
import { slowly } from './slow-replies.ts'
import { type SubjectName, subjects } from './sources.ts'
import { photographWorkflow } from './temporal-ui.ts'
import { buy, fillBasket, openPage, register } from './visit.ts'
import { photographTrace } from './zipkin.ts'

const schemes = ['light', 'dark'] as const
const undone = 'Rejected, everything undone'

type Shot = { file: string; data: Buffer }
/** A running shop with its wares, and a browser. */
type Studio = { stack: Stack; browser: Browser; productIds: string[] }

/** A page as it is now, in both colour schemes. */
async function inBothSchemes(
  page: Page,
  [light = '', dark = '']: string[],
  height?: number,
): Promise<Shot[]> {
  const shots: Shot[] = []
  for (const [index, colorScheme] of schemes.entries()) {
    await page.emulateMedia({ colorScheme })
    const { width = 0 } = page.viewportSize() ?? {}
    const png = await page.screenshot(
      height ? { clip: { x: 0, y: 0, width, height }, fullPage: true } : {},
    )
    const data = await sharp(png).webp({ quality: 82, effort: 6 }).toBuffer()
    shots.push({ file: index === 0 ? light : dark, data })
  }
  return shots
}

const viewport = { width: 1_000, height: 760 }

/** The subjects of a shop that is just used; that of the boards is a shop of its own, in which things happen. */
type StudioSubject = Exclude<SubjectName, 'boards'>

const photographers: Record<StudioSubject, (studio: Studio) => Promise<Shot[]>> = {
  async shop({ stack, browser }) {
    const { context, page } = await openPage(browser, { baseURL: stack.urls.api, viewport })
    await page.goto('/')
    await page
      .locator('.products img')
      .nth(wares.length - 1)
      .scrollIntoViewIfNeeded()
    await page.waitForLoadState('networkidle')
    await page.evaluate('scrollTo(0, 0)')
    const shots = await inBothSchemes(page, subjects.shop.files)
    await context.close()
    return shots
  },

  async purchase({ stack, browser, productIds }) {
    const size = { width: 720, height: 620 }
    const { context, page } = await openPage(browser, {
      ...{ baseURL: stack.urls.api, viewport: size, reducedMotion: 'no-preference' },
    })
    await register(page)
    const animation = await slowly(stack, async () => {
      await fillBasket(page, productIds.at(-1) ?? '', 'Card that is declined')
      return film(page, async () => {
        await buy(page)
        await page.getByText(undone).first().waitFor()
      })
    })
    await page.emulateMedia({ reducedMotion: 'reduce' })
    const [light = '', dark = '', animated = ''] = subjects.purchase.files
    const shots = await inBothSchemes(page, [light, dark])
    await context.close()
    return [...shots, { file: animated, data: animation }]
  },

  async console({ stack, browser, productIds }) {
    const id = await buyInVain(stack, productIds)
    const { context, page } = await openConsole(stack, browser)
    await page.goto(`/console/sagas/${id}`)
    await page.getByText('undo · reply release-stock').first().waitFor()
    const shots = await inBothSchemes(page, subjects.console.files)
    await context.close()
    return shots
  },

  async lab({ stack, browser }) {
    const { context, page } = await openConsole(stack, browser)
    await page.goto('/lab')
    await page.getByRole('button', { name: /^Buy twice a second/ }).click()
    await figureOf(page, 'completed', 8)
    await page.getByRole('button', { name: 'Break it' }).click()
    await figureOf(page, 'processing', 4)
    const shots = await inBothSchemes(page, subjects.lab.files)
    await page.getByRole('button', { name: 'Restore everything now' }).click()
    await page.getByText('Every purchase from before has ended.').waitFor()
    await context.close()
    return shots
  },

  async 'temporal-ui'({ stack, browser, productIds }) {
    const id = await buyInVain(stack, productIds)
    const { context, page } = await openPage(browser)
    const workflow = purchaseWorkflowId(id)
    const url = `${stack.urls.temporalUi}/namespaces/${namespace}/workflows/${workflow}`
    const png = await photographWorkflow(page, url)
    await context.close()
    const [file = ''] = subjects['temporal-ui'].files
    return [{ file, data: await sharp(png).webp({ quality: 80, effort: 6 }).toBuffer() }]
  },

  async trace({ stack, browser, productIds }) {
    const traceId = randomBytes(16).toString('hex')
    // Kept, as the client says so.
    await buyInVain(stack, productIds, `00-${traceId}-${randomBytes(8).toString('hex')}-01`)
    const { processes } = await stack.status()
    const port = processes.find(({ name }) => name === 'zipkin')?.ports[0]
    const { context, page } = await openPage(browser)
    const png = await photographTrace(page, `http://127.0.0.1:${port}`, traceId)
    await context.close()
    const [file = ''] = subjects.trace.files
    return [{ file, data: await sharp(png).webp({ quality: 80, effort: 6 }).toBuffer() }]
  },
}

/** A purchase that has ended, with its payment declined and everything undone. */
async function buyInVain(
  { urls }: Stack,
  [product_id = '']: string[],
  traceparent?: string,
): Promise<string> {
  const customer = await registerCustomer(urls.api)
  const order_items = [{ product_id, quantity: 2 }]
  const headers: Record<string, string> = traceparent ? { traceparent } : {}
  const order = { order_items, method: 'sim_declined' }
  const { body } = await customer.buy(order, undefined, headers)
  await customer.waitForEnd(body.purchase_id)
  return body.purchase_id
}

/** Waits until the lab counts so many purchases of a state. */
async function figureOf(page: Page, name: string, least: number): Promise<void> {
  const label = page.locator('.figures dt').getByText(name, { exact: true })
  await waitFor(`${least} ${name}`, async () => {
    if ((await label.count()) === 0) return false
    return Number(await label.locator('..').locator('dd').textContent()) >= least
  })
}

async function openConsole({ urls, secrets }: Stack, browser: Browser) {
  const opened = await openPage(browser, { baseURL: urls.operators, viewport })
  await opened.page.goto('/console')
  await opened.page.getByLabel('Operator token').fill(secrets.operatorToken)
  await opened.page.keyboard.press('Enter')
  await opened.page.getByRole('heading', { name: 'Overview' }).waitFor()
  return opened
}

/** Uses a shop of its own, and a Chromium that is installed into the cache. */
async function inShop<T>(
  options: Omit<StackOptions, 'dataDir' | 'portOffset'>,
  use: (stack: Stack, browser: Browser) => Promise<T>,
): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-pictures-'))
  const stack = await startStack({ ...options, dataDir, portOffset: 'free' })
  await using open = new AsyncDisposableStack()
  open.defer(async () => {
    await stack.stop()
    await rm(dataDir, { recursive: true, force: true })
  })
  const browser = open.adopt(await launchBrowser(), (it) => it.close())
  // The shop stops as soon as this function returns.
  return await use(stack, browser)
}

async function takeBoards(): Promise<Shot[]> {
  const { timesFaster } = course
  const options = { observe: { timesFaster }, env: { purchase: limits } }
  const taken = await inShop(options, photographBoards)
  const encode = async ({ file, png }: (typeof taken)[number]) => ({
    file,
    // Thin lines stay sharp, in less than other pictures need.
    data: await sharp(png).webp({ nearLossless: true, quality: 20, effort: 6 }).toBuffer(),
  })
  return Promise.all(taken.map(encode))
}

/** Takes the pictures of the given subjects. */
export async function takePictures(
  names: SubjectName[],
  { folder, onTaken }: { folder: string; onTaken: (name: SubjectName) => Promise<void> },
): Promise<void> {
  async function save(name: SubjectName, shots: Shot[]): Promise<void> {
    for (const { file, data } of shots) {
      await writeFile(join(folder, file), data)
      console.log(`docs/pictures/${file}: ${Math.round(data.length / 1_000)} kB`)
    }
    await onTaken(name)
  }

  const ofStudio = names.filter((name) => name !== 'boards')
  if (ofStudio.length > 0) {
    await inShop({ lab: true, observe: names.includes('trace') }, async (stack, browser) => {
      const studio = { stack, browser, productIds: await sellWares(stack.urls.api) }
      for (const name of ofStudio) await save(name, await photographers[name](studio))
    })
  }
  if (names.includes('boards')) await save('boards', await takeBoards())
}

import { join } from 'node:path'
import type { PagePath } from '../../shared/contracts/pages.ts'
import { launchBrowser } from '../browser.ts'
import { cached } from '../stack/cache.ts'
import { freePort } from '../stack/ports.ts'
import { run } from '../stack/run-command.ts'

const version = '13.5.0'
export const categories = ['performance', 'accessibility', 'best-practices'] as const
type Category = (typeof categories)[number]

/** What a visitor without a session sees. Every other page shows the sign-in first. */
export const publicPages: PagePath[] = [
  '/',
  '/products/:id',
  '/basket',
  '/login',
  '/register',
  '/forgot',
]

/** What Lighthouse found on a page. Scores are from 0 to 100. */
export type Found = {
  path: string
  scores: Partial<Record<Category, number>>
  /** Compressed, of all requests of the first view. */
  bytes: number
  firstPaintMs: number
  largestPaintMs: number
  /** Audits of the categories that did not pass. */
  failed: string[]
}

type Audit = { id: string; score: number | null; scoreDisplayMode: string; numericValue?: number }
type Result = {
  lhr: {
    audits: Record<string, Audit>
    categories: Record<
      string,
      { score: number | null; auditRefs: { id: string; weight: number }[] }
    >
    runtimeError?: { message: string }
  }
}
type Lighthouse = (url: string, flags: object, config: object) => Promise<Result | undefined>

/** Not among the packages of the checkout: it has a hundred of its own, and only measuring needs them. */
export const installLighthouse = (): Promise<string> =>
  cached(`lighthouse-${version}`, console.log, async (dir) => {
    const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', dir]
    await run('npm', ['install', ...options, `lighthouse@${version}`], { cwd: dir })
  })

/** A desktop. The bytes are counted whatever the categories. */
const settings = {
  formFactor: 'desktop',
  screenEmulation: { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1 },
  onlyAudits: ['total-byte-weight'],
}

/** Looks at pages of a shop with Lighthouse, in a browser of its own. */
export async function lookAt(
  base: string,
  paths: readonly string[],
  only: readonly Category[] = categories,
): Promise<Found[]> {
  const entry = join(await installLighthouse(), 'node_modules/lighthouse/core/index.js')
  const { default: lighthouse } = (await import(entry)) as { default: Lighthouse }
  // The machine of the shop as it is: nothing is slowed down. Where paints do not count, Lighthouse need not wait 5 s
  // for what a page still does after it is loaded.
  const throttlingMethod = only.includes('performance') ? 'provided' : 'simulate'
  const port = await freePort()
  const browser = await launchBrowser({ debuggingPort: port })
  try {
    const found: Found[] = []
    for (const path of paths) {
      const flags = { port, logLevel: 'error' }
      const config = {
        extends: 'lighthouse:default',
        settings: { ...settings, throttlingMethod, onlyCategories: only },
      }
      const result = await lighthouse(base + path, flags, config)
      if (!result || result.lhr.runtimeError) {
        throw new Error(
          `${path}: ${result?.lhr.runtimeError?.message ?? 'Lighthouse found nothing'}`,
        )
      }
      found.push(read(path, result))
    }
    return found
  } finally {
    await browser.close()
  }
}

function read(path: string, { lhr }: Result): Found {
  const value = (id: string) => Math.round(lhr.audits[id]?.numericValue ?? 0)
  const failed = Object.values(lhr.categories)
    .flatMap(({ auditRefs }) => auditRefs)
    .filter(({ id, weight }) => weight > 0 && (lhr.audits[id]?.score ?? 1) < 1)
  return {
    path,
    scores: Object.fromEntries(
      Object.entries(lhr.categories).map(([name, { score }]) => [
        name,
        Math.round((score ?? 0) * 100),
      ]),
    ),
    bytes: value('total-byte-weight'),
    firstPaintMs: value('first-contentful-paint'),
    largestPaintMs: value('largest-contentful-paint'),
    failed: failed.map(({ id }) => id),
  }
}

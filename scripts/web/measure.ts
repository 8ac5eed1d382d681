import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startStack } from '../stack/start.ts'
import { categories, type Found, lookAt, publicPages } from './lighthouse.ts'
import { sellWares } from './wares.ts'

/** Each page is loaded this often; the median counts. */
const looks = 3

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

function row(of: Found[]): string[] {
  const [{ path, failed } = { path: '', failed: [] }] = of
  return [
    path,
    `${(median(of.map(({ bytes }) => bytes)) / 1_000).toFixed(1)} kB`,
    `${median(of.map(({ firstPaintMs }) => firstPaintMs))} ms`,
    `${median(of.map(({ largestPaintMs }) => largestPaintMs))} ms`,
    ...categories.map((name) => String(median(of.map(({ scores }) => scores[name] ?? 0)))),
    failed.join(' '),
  ]
}

/** Prints what the first view of the pages weighs and how fast it is painted, on a shop of its own with some wares. */
export async function measurePages(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-pages-'))
  const { urls, stop } = await startStack({ dataDir, portOffset: 'free' })
  try {
    const [id = ''] = await sellWares(urls.api)
    const pages = [
      ...publicPages.map((path) => [urls.api, path.replace(':id', id)] as const),
      [urls.operators, '/console'] as const,
    ]
    const rows: string[][] = []
    for (const [base, path] of pages) {
      rows.push(
        row(
          await lookAt(
            base,
            Array.from({ length: looks }, () => path),
          ),
        ),
      )
    }
    const header = ['page', 'bytes', 'first paint', 'largest paint', ...categories, 'failed audits']
    for (const cells of [header, header.map(() => '---'), ...rows]) {
      console.log(`| ${cells.join(' | ').replaceAll(id, ':id')} |`)
    }
  } finally {
    await stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

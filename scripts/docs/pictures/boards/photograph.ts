import type { Browser } from 'playwright-core'
import type { Stack } from '../../../stack/client.ts'
import { boards } from '../../board-list.ts'
import { openPage } from '../visit.ts'
import { drawBoard, width } from './board.ts'
import { course, pictureOf } from './course.ts'
import { readPanel } from './prometheus.ts'
import { runCourse } from './run.ts'

/** So that small texts can be read. */
const deviceScaleFactor = 1.5

/** Takes a picture of each board after a run of a shop that Prometheus reads, drawn in a browser, which has fonts. */
export async function photographBoards(
  stack: Stack,
  browser: Browser,
): Promise<{ file: string; png: Buffer }[]> {
  const { range, marks } = await runCourse(stack)
  const times: number[] = []
  for (let at = 0; at <= course.seconds; at += course.stepSeconds) times.push(at)
  const viewport = { width, height: width }
  const { context, page } = await openPage(browser, { viewport, deviceScaleFactor })
  const shots: { file: string; png: Buffer }[] = []
  for (const { file, title, panels } of boards) {
    const read = panels.map(async (panel) => ({ panel, series: await readPanel(panel, range) }))
    const svg = drawBoard(title, await Promise.all(read), { times, marks })
    await page.setContent(`<body style="margin: 0">${svg}</body>`)
    shots.push({ file: pictureOf(file), png: await page.locator('svg').screenshot() })
  }
  await context.close()
  return shots
}

import type { Page } from 'playwright-core'

/** Takes a picture of one workflow in the Temporal Web UI, its timeline included. */
export async function photographWorkflow(page: Page, url: string): Promise<Buffer> {
  await page.setViewportSize({ width: 1_480, height: 1_460 })
  await page.goto(url)
  await page.getByText('Timeline').first().waitFor()
  await page.getByText('"REJECTED"').first().waitFor()
  await page.waitForLoadState('networkidle')
  // Without the menu on the left and the bar above.
  return page.screenshot({ clip: { x: 246, y: 50, width: 1_234, height: 1_410 } })
}

import type { Page } from 'playwright-core'
import { waitFor } from '../../../shared/runtime/wait-for.ts'

/** Takes a picture of one trace in Zipkin, as soon as its last process has sent its spans. */
export async function photographTrace(
  page: Page,
  zipkin: string,
  traceId: string,
): Promise<Buffer> {
  await waitFor(
    'the span of the mail',
    async () => {
      const response = await fetch(`${zipkin}/api/v2/trace/${traceId}`)
      const spans = (await response.json()) as { localEndpoint?: { serviceName: string } }[]
      return spans.some(({ localEndpoint }) => localEndpoint?.serviceName === 'mail')
    },
    60_000,
  )
  await page.setViewportSize({ width: 1_480, height: 1_300 })
  await page.goto(`${zipkin}/zipkin/traces/${traceId}`)
  await page.getByText('TRAEFIK', { exact: false }).first().waitFor()
  await page.waitForLoadState('networkidle')
  return page.screenshot()
}

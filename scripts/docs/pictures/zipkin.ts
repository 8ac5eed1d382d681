import type { Page } from 'playwright-core'
import { waitFor } from '../../../shared/runtime/wait-for.ts'

/** Takes a picture of one trace in Zipkin, as soon as its first and its last process have sent their spans. */
export async function photographTrace(
  page: Page,
  zipkin: string,
  traceId: string,
): Promise<Buffer> {
  await waitFor('the spans of the gateway and of the mail', async () => {
    const response = await fetch(`${zipkin}/api/v2/trace/${traceId}`)
    const spans = (await response.json()) as { localEndpoint?: { serviceName: string } }[]
    const services = new Set(spans.map(({ localEndpoint }) => localEndpoint?.serviceName))
    return services.has('traefik') && services.has('mail')
  })
  await page.setViewportSize({ width: 1_480, height: 1_300 })
  await page.goto(`${zipkin}/zipkin/traces/${traceId}`)
  await page.getByText('TRAEFIK', { exact: false }).first().waitFor()
  await page.waitForLoadState('networkidle')
  return page.screenshot()
}

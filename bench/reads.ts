import autocannon from 'autocannon'
import { apiPrefix } from '../shared/contracts/route.ts'
import type { Shop } from './load.ts'

export type ReadFigures = {
  inFlight: number
  seconds: number
  reads: number
  perSecond: number
  /** Answers that were not 2xx, and requests without an answer. */
  failed: number
  p50: number
  p99: number
}

/** Reads a shop's products by id, in turn, `inFlight` at a time, through Traefik. */
export async function readProducts(
  api: string,
  { products }: Shop,
  { seconds, inFlight }: { seconds: number; inFlight: number },
): Promise<ReadFigures> {
  const requests = products.map(({ id }) => ({ path: `${apiPrefix}/products/${id}` }))
  const options = { url: api, connections: inFlight, requests }
  // Warms the cache and the compiled code of the services.
  await autocannon({ ...options, amount: Math.max(inFlight, products.length) * 4 })
  const {
    requests: sent,
    latency,
    duration,
    ...result
  } = await autocannon({
    ...options,
    duration: seconds,
  })
  return {
    inFlight,
    seconds: duration,
    reads: result['2xx'],
    perSecond: result['2xx'] / duration,
    failed: result.non2xx + result.errors + result.timeouts + (sent.total === 0 ? 1 : 0),
    p50: latency.p50,
    p99: latency.p99,
  }
}

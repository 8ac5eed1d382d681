import { setTimeout as sleep } from 'node:timers/promises'
import type { Customer } from '../../../scripts/stack/shop-client.ts'

const pauseMs = 100
const patienceMs = 45_000

/** What customers read of every service with an API. */
const pathsOf = (productId: string) => [
  `/products/${productId}`,
  '/products?limit=5',
  '/categories',
  '/purchases?limit=5',
  '/orders?limit=5',
  '/payments?limit=5',
  '/account/customer/delivery',
  `/media?product_id=${productId}`,
]

/** Whether asking again is what a client is told to do: the service is not there, or is leaving. */
const asksAgain = (status: number) => [0, 429, 502, 503, 504].includes(status)

/** Reads as a client does that asks again where it may. Resolves with the last status, and how often it asked. */
async function read(customer: Customer, path: string): Promise<{ status: number; tries: number }> {
  const end = Date.now() + patienceMs
  for (let tries = 1; ; tries++) {
    const { status } = await customer.get(path).catch(() => ({ status: 0 }))
    if (!asksAgain(status) || Date.now() > end) return { status, tries }
    await sleep(pauseMs)
  }
}

export type Reads = { reads: number; repeated: number; failed: string[] }

/** A customer who reads on and on, until something is done. */
export async function readUntil(
  done: Promise<unknown>,
  customer: Customer,
  productId: string,
): Promise<Reads> {
  const paths = pathsOf(productId)
  const result: Reads = { reads: 0, repeated: 0, failed: [] }
  let reading = true
  void done.catch(() => {}).then(() => (reading = false))
  while (reading) {
    const path = paths[result.reads % paths.length] as string
    const { status, tries } = await read(customer, path)
    result.reads += 1
    if (tries > 1) result.repeated += 1
    if (status !== 200) result.failed.push(`GET ${path} was answered ${status}`)
    await sleep(pauseMs)
  }
  return result
}

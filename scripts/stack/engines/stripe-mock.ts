import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { Log } from '../log.ts'
import { goInstall } from './go.ts'

const version = 'v0.203.0'

/** The path of Stripe's own server for tests, which checks requests against the published OpenAPI document. */
export async function stripeMock(log: Log = () => {}): Promise<string> {
  const dir = await cached(`stripe-mock-${version}`, log, (fresh) => {
    log('stripe-mock is built from source: about half a minute, once per machine')
    return goInstall(`github.com/stripe/stripe-mock@${version}`, fresh, log)
  })
  return join(dir, 'bin', 'stripe-mock')
}

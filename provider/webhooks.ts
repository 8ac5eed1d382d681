import { createHmac } from 'node:crypto'
import { request } from 'undici'
import type { Logger } from '../shared/runtime/logger.ts'
import type { Faults } from './faults.ts'
import type { Delivery, Ledger } from './ledger.ts'
import { toEvent } from './objects.ts'

const timeoutMs = 10_000
const concurrent = 8
const firstRetryMs = 500
const maxRetryMs = 30_000
/** About three days with the pauses above, as long as Stripe tries. */
const maxAttempts = 8_640
const minWaitMs = 50

/** The header that proves an event: Stripe's scheme v1. */
export function signatureOf(body: string, secret: string, seconds: number): string {
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')
  return `t=${seconds},v1=${signature}`
}

/**
 * Reports events to the shop: each is stored in the transaction that is its reason, and sent until it is answered 2xx.
 * Events may arrive in any order and more than once.
 */
export function createWebhooks({
  ledger,
  faults,
  url,
  secret,
  logger,
}: {
  ledger: Ledger
  faults: Faults
  url: string | undefined
  secret: string
  logger: Logger
}) {
  const sending = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  async function post(body: string): Promise<void> {
    const seconds = Math.floor(Date.now() / 1_000)
    const response = await request(url ?? '', {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signatureOf(body, secret, seconds),
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body.dump()
    const { statusCode } = response
    if (statusCode >= 300) throw new Error(`the webhook was answered ${statusCode}`)
  }

  async function deliver({ id, body, attempts }: Delivery): Promise<void> {
    try {
      const fault = faults.ofEvent()
      if (fault?.event === 'delay') {
        ledger.postponeDelivery(id, Date.now() + Math.random() * fault.ms)
        return
      }
      if (fault?.event !== 'drop') await post(body)
      if (fault?.event === 'duplicate') await post(body)
      ledger.dropDelivery(id)
    } catch (err) {
      if (closed) return
      logger.debug({ err, event_id: id, attempts }, 'event not delivered')
      if (attempts >= maxAttempts) ledger.dropDelivery(id)
      else {
        const pauseMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(attempts, 16))
        ledger.postponeDelivery(id, Date.now() + pauseMs)
      }
    } finally {
      sending.delete(id)
      if (!closed) pump()
    }
  }

  function pump(): void {
    clearTimeout(timer)
    if (closed || url === undefined) return
    const free = concurrent - sending.size
    if (free > 0) {
      const due = ledger.dueDeliveries(concurrent).filter(({ id }) => !sending.has(id))
      for (const delivery of due.slice(0, free)) {
        sending.add(delivery.id)
        void deliver(delivery)
      }
    }
    const next = ledger.nextDeliveryMs()
    if (next !== undefined) timer = setTimeout(pump, Math.max(minWaitMs, next - Date.now()))
  }

  return {
    /** Stores an event, in the caller's transaction. `pump` sends it. */
    report(type: string, object: object): void {
      if (url === undefined) return
      const event = toEvent(type, object)
      ledger.addDelivery(event.id, JSON.stringify(event), Date.now())
    },
    pump,
    close(): void {
      closed = true
      clearTimeout(timer)
    },
  }
}

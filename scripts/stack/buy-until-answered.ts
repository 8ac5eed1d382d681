import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '../../shared/contracts/ids.ts'
import type { Customer } from './shop-client.ts'

/** A purchase as its buyer saw it; `purchaseId` undefined: refused, or never answered. */
export type Bought = { status: number; tries: number; purchaseId: string | undefined }

const retryPauseMs = 250

/** Nothing came, or the shop had no time: status 0 (no answer), 429 or 5xx. */
export function isUnanswered(status: number): boolean {
  return status === 0 || status >= 500 || status === 429
}

/**
 * Repeats a request under one key until it is answered, or until it was repeated for `patienceMs`. Status 0 says that
 * no answer came.
 */
export async function buyUntilAnswered(
  customer: Customer,
  body: Parameters<Customer['buy']>[0],
  {
    patienceMs,
    asksAgain = isUnanswered,
  }: { patienceMs: number; asksAgain?: (status: number) => boolean },
): Promise<Bought> {
  const idempotencyKey = newId()
  const end = Date.now() + patienceMs
  for (let tries = 1; ; tries++) {
    const answer = await customer.buy(body, idempotencyKey).catch(() => undefined)
    const status = answer?.status ?? 0
    if (!asksAgain(status) || Date.now() > end) {
      return { status, tries, purchaseId: status === 202 ? answer?.body.purchase_id : undefined }
    }
    await sleep(retryPauseMs)
  }
}

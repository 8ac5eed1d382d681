import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Rig } from '../rig.ts'

/** Something that is done to the shop, and the alerts that it must fire. */
export type AlertFault = {
  /** In the words of the report. */
  what: string
  alerts: string[]
  /** Those that fire once it is over. */
  afterwards?: string[]
  /** Breaks the shop, and restores it as soon as `over` is aborted. */
  run(rig: Rig, over: AbortSignal): Promise<void>
}

export async function untilOver(over: AbortSignal): Promise<void> {
  if (!over.aborted) await once(over, 'abort')
}

/** Stops a process where it is, as a machine without memory does, and lets it continue afterwards. */
export async function halt(rig: Rig, name: string, over: AbortSignal): Promise<void> {
  await rig.stack.signal(name, 'SIGSTOP')
  try {
    await untilOver(over)
  } finally {
    await rig.stack.signal(name, 'SIGCONT')
  }
}

/** Kills a process, which stays down until it is over. */
export async function takeDown(rig: Rig, name: string, over: AbortSignal): Promise<void> {
  await rig.stack.signal(name, 'SIGKILL')
  await rig.stack.stopProcess(name)
  try {
    await untilOver(over)
  } finally {
    await rig.stack.startProcess(name)
  }
}

export type Buying = {
  /** How many customers buy side by side. */
  customers?: number
  /** Between an answer and the customer's next purchase. */
  pauseMs?: number
  method?: string
}

/** What a purchase of one unit that is there asks for. */
export async function bodyOf(rig: Rig, method?: string) {
  const { products } = await rig.buyers()
  const order_items = [{ product_id: products.at(-1)?.id ?? '', quantity: 1 }]
  return { order_items, ...(method && { method }) }
}

/** Customers buy, one purchase after the other, whatever they are answered, until it is over. */
export async function keepBuying(
  rig: Rig,
  over: AbortSignal,
  { customers: count = 8, pauseMs = 400, method }: Buying = {},
): Promise<void> {
  const { customers } = await rig.buyers()
  const body = await bodyOf(rig, method)
  await Promise.all(
    customers.slice(0, count).map(async (customer) => {
      while (!over.aborted) {
        await customer.buy(body).catch(() => undefined)
        await sleep(pauseMs, undefined, { signal: over }).catch(() => undefined)
      }
    }),
  )
}

import { Counter, type Registry } from 'prom-client'
import type { PurchaseEnded } from '../contracts/events.ts'
import type { CommandTopic, SettledOn } from '../contracts/steps.ts'
import type { Logger } from '../runtime/logger.ts'

const overdueBatch = 100

/** One function per step that the end of a purchase settles: a missing one does not compile. */
export type Settlements<T extends CommandTopic> = {
  [N in SettledOn<T>]: (ended: PurchaseEnded) => Promise<void>
}

/**
 * Settles every step of a participant when a purchase has ended. Each settlement must tolerate a repeat: one that
 * throws brings the event back for all of them.
 */
export function settleWith<T extends CommandTopic>(settlements: Settlements<T>) {
  const all = Object.values<(ended: PurchaseEnded) => Promise<void>>(settlements)
  return async (ended: PurchaseEnded): Promise<void> => {
    for (const settle of all) await settle(ended)
  }
}

/** Counts and logs ends of purchases that contradict what a participant stores. They change nothing there. */
export function createSettlementAlarm({
  registry,
  logger,
}: {
  registry: Registry
  logger: Logger
}) {
  const alarms = new Counter({
    name: 'settlement_alarms_total',
    help: 'Ends of purchases that contradict what is stored here; each needs a person',
    registers: [registry],
  })
  return (fields: { purchase_id: string; [field: string]: unknown }, message: string): void => {
    alarms.inc()
    logger.error(fields, message)
  }
}

/**
 * A sweep that asks for the ends of purchases which a participant has not settled in time. `list` returns the next
 * `limit` of them after `after`, `ask` publishes the question. Each run continues where the last one stopped, so that
 * purchases which stay open never hide later ones.
 */
export function createOverdueSweep<T extends { id: string }>({
  list,
  ask,
  logger,
}: {
  list: (limit: number, after: T | undefined) => PromiseLike<T[]>
  ask: (purchaseId: string) => Promise<void>
  logger: Logger
}) {
  let last: T | undefined
  return async (): Promise<void> => {
    const overdue = await list(overdueBatch, last)
    await Promise.all(overdue.map(({ id }) => ask(id)))
    last = overdue.length === overdueBatch ? overdue.at(-1) : undefined
    if (overdue.length > 0) logger.warn({ count: overdue.length }, 'settlements are overdue')
  }
}

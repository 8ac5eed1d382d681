import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 50

/**
 * Waits until `condition` gives something truthy and returns that. What it throws counts as "not yet" and is the
 * cause of the error past the deadline.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T> | T,
  deadlineMs = 60_000,
): Promise<Exclude<T, false | null | undefined>> {
  const end = Date.now() + deadlineMs
  let cause: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | null | undefined>
    } catch (error) {
      cause = error
    }
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms for ${what}`, { cause })
    await sleep(pollMs)
  }
}

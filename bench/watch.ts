import { setTimeout as sleep } from 'node:timers/promises'
import type { Addresses } from './addresses.ts'
import { checkSnapshot, overdueCheck } from './checks.ts'
import { readSnapshot } from './snapshot.ts'

const lookEveryMs = 1_000

/**
 * Checks every second what must hold at any instant: not that purchases are settled in time, which a fault may delay. A
 * database that is away is looked at the next time.
 */
export function watchInvariants(databases: Addresses['databases']) {
  const violations: { what: string; purchaseIds: string[] }[] = []
  let looks = 0
  let watching = true

  async function look(): Promise<void> {
    const snapshot = await readSnapshot(databases).catch(() => undefined)
    if (!snapshot) return
    looks += 1
    const seen = new Set(violations.map(({ what }) => what))
    for (const { ok, name, detail, purchaseIds } of checkSnapshot(snapshot, { live: true })) {
      const what = `at work, ${name}: ${detail}`
      if (!ok && name !== overdueCheck && !seen.has(what)) violations.push({ what, purchaseIds })
    }
  }

  const loop = (async () => {
    while (watching) {
      await look()
      await sleep(lookEveryMs)
    }
  })()

  return {
    async end() {
      watching = false
      await loop
      return { violations, looks }
    },
  }
}

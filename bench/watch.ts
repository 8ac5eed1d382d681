import { setTimeout as sleep } from 'node:timers/promises'
import type { Addresses } from '../scripts/stack/addresses.ts'
import { checkRecords } from './checks.ts'
import { connectRecords } from './records.ts'
import { overdueCheck } from './rules.ts'

const lookEveryMs = 1_000

/**
 * Checks every second what must hold at any instant: not that purchases are settled in time, which a fault may delay. A
 * database that is unavailable, or the provider, is read the next time.
 */
export function watchInvariants({
  databases,
  provider,
}: Pick<Addresses, 'databases' | 'provider'>) {
  const violations: { what: string; purchaseIds: string[] }[] = []
  const records = connectRecords(databases, provider)
  let looks = 0
  let watching = true

  async function look(): Promise<void> {
    const checked = await checkRecords(records, { live: true, atOnce: true }).catch(() => undefined)
    if (!checked) return
    looks += 1
    const seen = new Set(violations.map(({ what }) => what))
    for (const { ok, name, detail, purchaseIds } of checked.checks) {
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
      await records.close()
      return { violations, looks }
    },
  }
}

/** One invariant and what was found. `detail` has a line per finding when it does not hold. */
export type Check = { name: string; ok: boolean; detail: string; purchaseIds: string[] }

/** All checks of one run. */
export type Report = { ok: boolean; checks: Check[]; counts: Record<string, number> }

/** A violation, and the purchases that it concerns. */
export type Finding = { purchaseIds: string[]; what: string }

const maxNamed = 20
/** Purchases that a check names to programs: enough to look into, few enough to keep. */
const maxPurchases = 20_000

/** Collects what violates one invariant, however much that is: it counts all of it and keeps the first. */
export function createFindings(name: string) {
  const lines: string[] = []
  const purchaseIds = new Set<string>()
  let count = 0

  return {
    add(finding: Finding): void {
      count += 1
      if (lines.length < maxNamed) lines.push(finding.what)
      for (const id of finding.purchaseIds) if (purchaseIds.size < maxPurchases) purchaseIds.add(id)
    },

    /** `further`: findings that were counted elsewhere. Without findings, `summary` is the detail. */
    toCheck(summary: string, further = 0): Check {
      const more = count + further - lines.length
      const detail = more > 0 ? [...lines, `and ${more} more`] : lines
      return {
        name,
        ok: count + further === 0,
        detail: detail.join('\n') || summary,
        purchaseIds: [...purchaseIds],
      }
    },
  }
}

/** Makes a check of its findings; without findings, `summary` is its detail. */
export function toCheck(name: string, findings: Finding[], summary: string): Check {
  const collected = createFindings(name)
  for (const finding of findings) collected.add(finding)
  return collected.toCheck(summary)
}

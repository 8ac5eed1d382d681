import assert from 'node:assert/strict'

/** How long a service may go on believing what it knew of an account. */
const believedMs = 1_000

/**
 * Repeats writes until all are refused with `status`: at once as a rule. When a notice was lost, those may be accepted
 * that begin within a second after the change, and no other.
 */
export async function untilRefused(
  status: number,
  write: () => Promise<{ status: number }[]>,
): Promise<void> {
  const due = performance.now() + believedMs
  for (;;) {
    const late = performance.now() > due
    const statuses = (await write()).map((answer) => answer.status)
    if (statuses.every((one) => one === status)) return
    assert.ok(!late, `more than ${believedMs} ms after the change: ${statuses.join(' ')}`)
  }
}

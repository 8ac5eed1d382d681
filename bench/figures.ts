import type { EndRow } from './ends.ts'
import type { Post } from './load.ts'
import { hasEnded } from './rules.ts'
import { countBy, type Summary, summarize } from './stats.ts'

/** One second of a phase: the purchases that were accepted and that ended in it, and how long the latter had taken. */
export type Second = { second: number; accepted: number; ended: number; p50: number; p99: number }

/** The results of one phase. Times are ms, rates are per second. */
export type PurchaseFigures = {
  posted: number
  answers: Record<string, number>
  outcomes: Record<string, number>
  /** Answered 202 and in no table. */
  lost: string[]
  seconds: number
  acceptedPerSecond: number
  completedPerSecond: number
  post: Summary
  toTerminal: Summary
  timeline: Second[]
}

/** The end counts from when the POST was sent, or was due, to when the purchase's end was written. */
export function purchaseFigures(posts: Post[], rows: Map<string, EndRow>): PurchaseFigures {
  const firstSentAt = Math.min(...posts.map(({ sentAt }) => sentAt))
  const accepted = posts.filter(({ purchaseId }) => purchaseId !== undefined)
  const ends = accepted.flatMap(({ sentAt, purchaseId }) => {
    const row = rows.get(purchaseId ?? '')
    if (!row || !hasEnded(row)) return []
    const endedAt = row.updated_at.getTime()
    return [{ status: row.status, endedAt, ms: endedAt - sentAt }]
  })
  const answeredAt = accepted.map(({ sentAt, ms }) => sentAt + ms)
  const lastAnswerAt = Math.max(firstSentAt, ...answeredAt)
  const lastEndAt = Math.max(firstSentAt, ...ends.map(({ endedAt }) => endedAt))
  const completed = ends.filter(({ status }) => status === 'COMPLETED').length
  return {
    posted: posts.length,
    answers: Object.fromEntries(countBy(posts, ({ status }) => status)),
    outcomes: Object.fromEntries(countBy([...rows.values()], ({ status }) => status)),
    lost: accepted.flatMap(({ purchaseId = '' }) => (rows.has(purchaseId) ? [] : purchaseId)),
    seconds: (lastEndAt - firstSentAt) / 1_000,
    acceptedPerSecond: perSecond(accepted.length, lastAnswerAt - firstSentAt),
    completedPerSecond: perSecond(completed, lastEndAt - firstSentAt),
    post: summarize(posts.map(({ ms }) => ms)),
    toTerminal: summarize(ends.map(({ ms }) => ms)),
    timeline: timelineOf(firstSentAt, answeredAt, ends),
  }
}

/** Whether every purchase was accepted and has ended as COMPLETED. */
export function allCompleted({ posted, outcomes }: PurchaseFigures): boolean {
  return posted > 0 && outcomes.COMPLETED === posted
}

function timelineOf(
  from: number,
  answeredAt: number[],
  ends: { endedAt: number; ms: number }[],
): Second[] {
  const secondOf = (at: number) => Math.max(0, Math.floor((at - from) / 1_000))
  const accepted = Map.groupBy(answeredAt, secondOf)
  const ended = Map.groupBy(ends, ({ endedAt }) => secondOf(endedAt))
  const last = Math.max(-1, ...accepted.keys(), ...ended.keys())
  return Array.from({ length: last + 1 }, (_, second) => {
    const own = ended.get(second) ?? []
    const { p50, p99 } = summarize(own.map(({ ms }) => ms))
    return { second, accepted: accepted.get(second)?.length ?? 0, ended: own.length, p50, p99 }
  })
}

function perSecond(count: number, ms: number): number {
  return ms > 0 ? (count / ms) * 1_000 : 0
}

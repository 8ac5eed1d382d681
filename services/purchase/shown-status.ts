import type { PurchaseStatus } from '../../shared/contracts/purchase.ts'
import { ofStatus } from '../../shared/database/list-range.ts'

type Row = {
  status: string
  releasedAt: Date | null
  publishedAt: Date | null
  cancelRequestedAt: Date | null
}

/** The statuses of rows that have not ended. */
export const open = { in: ['ACCEPTED', 'PROCESSING'] }

export function hasEnded({ status }: Pick<Row, 'status'>): boolean {
  return !open.in.includes(status)
}

/** Whether a purchase that is shown with this status has ended. */
export function isEnd(status: PurchaseStatus): boolean {
  return status !== 'CANCELLING' && hasEnded({ status })
}

/** Whether it waits for its turn: it was not released, and has no saga. */
export function isQueued(row: Pick<Row, 'status' | 'releasedAt' | 'publishedAt'>): boolean {
  return row.releasedAt === null && row.publishedAt === null && row.status === 'ACCEPTED'
}

/** The status that a purchase is shown with. */
export function statusOf(row: Pick<Row, 'status' | 'cancelRequestedAt'>): PurchaseStatus {
  if (row.cancelRequestedAt !== null && !hasEnded(row)) return 'CANCELLING'
  return row.status as PurchaseStatus
}

type ShownAs = {
  status?: string | { in: string[] }
  cancelRequestedAt?: null | { not: null }
}

/** The condition that a purchase is shown with this status, if there is one. */
export function shownAs(status: PurchaseStatus | undefined): ShownAs {
  if (status === 'CANCELLING') return { status: open, cancelRequestedAt: { not: null } }
  if (status === 'ACCEPTED' || status === 'PROCESSING') return { status, cancelRequestedAt: null }
  return ofStatus(status)
}

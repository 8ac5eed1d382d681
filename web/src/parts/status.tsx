const kinds: Record<string, 'good' | 'bad' | 'warn'> = {
  COMPLETED: 'good',
  CONFIRMED: 'good',
  CAPTURED: 'good',
  REJECTED: 'bad',
  DECLINED: 'bad',
  FAILED: 'bad',
  CANCELLING: 'warn',
  CANCELLED: 'warn',
  RESOLVED: 'warn',
  REFUNDED: 'warn',
  VOIDED: 'warn',
}

const names: Record<string, string> = {
  ACCEPTED: 'Accepted',
  PROCESSING: 'In progress',
  CANCELLING: 'Being cancelled',
  COMPLETED: 'Completed',
  REJECTED: 'Rejected, everything undone',
  CANCELLED: 'Cancelled, everything undone',
  RESOLVED: 'Closed by an operator',
  PENDING: 'Pending',
  CONFIRMED: 'Confirmed',
  CAPTURED: 'Paid',
  DECLINED: 'Declined',
  REFUNDED: 'Refunded',
  VOIDED: 'Voided',
  REQUESTED: 'Requested',
  FAILED: 'Failed',
  ON_SALE: 'On sale',
  WITHDRAWN: 'Withdrawn',
}

export function statusName(status: string): string {
  return names[status] ?? status
}

/** A state in words; its colour says nothing more. */
export function Status({ status }: { status: string }) {
  return <span class={`badge ${kinds[status] ?? ''}`}>{statusName(status)}</span>
}

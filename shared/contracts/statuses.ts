/*
 * The states of what lists can be narrowed by, in the order of a life. Plain values: the pages offer them as well, and
 * do not load what validates them.
 */

export const purchaseStatuses = [
  'ACCEPTED',
  'PROCESSING',
  'CANCELLING',
  'COMPLETED',
  'REJECTED',
  'CANCELLED',
  'RESOLVED',
] as const

export const orderStatuses = ['PENDING', 'CONFIRMED', 'CANCELLED'] as const

export const paymentStatuses = ['PENDING', 'CAPTURED', 'DECLINED', 'REFUNDED', 'VOIDED'] as const

/** REQUESTED until its saga has begun. RESOLVED: an operator has done a part of it by hand. */
export const refundStatuses = [
  'REQUESTED',
  'PROCESSING',
  'COMPLETED',
  'FAILED',
  'RESOLVED',
] as const

/** What the provider reported: a capture that the payment learned of, nothing new, or what other hands did there. */
export const providerOutcomes = ['SETTLED', 'KNOWN', 'OUTSIDE'] as const

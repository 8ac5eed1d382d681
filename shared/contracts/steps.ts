/**
 * What each command is called as a step: its activity id, the second half of its command id, and its name in the
 * purchase's progress. No imports here: workflow code uses it.
 */
export const steps = {
  reserveStock: 'reserve-stock',
  createOrder: 'create-order',
  takePayment: 'take-payment',
  refundPayment: 'refund-payment',
  cancelOrder: 'cancel-order',
  releaseStock: 'release-stock',
} as const

import type { Reply } from '../../shared/contracts/commands.ts'
import type { AnyCommandName } from '../../shared/contracts/steps.ts'

const done = { outcome: 'done' } as const

/** The reply of a participant that accepts, for each command. */
export const agreed: { [N in AnyCommandName]: Reply<N> } = {
  reserveStock: done,
  releaseStock: done,
  createOrder: done,
  cancelOrder: done,
  takePayment: { ...done, provider_reference: 'reference' },
  refundPayment: done,
  returnMoney: done,
  returnStock: done,
  closeRefund: done,
}

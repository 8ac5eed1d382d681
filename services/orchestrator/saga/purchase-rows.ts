import {
  type PurchaseAccepted,
  type PurchaseEnded,
  TerminalStatus,
} from '../../../shared/contracts/events.ts'
import type { GrpcClient } from '../../../shared/grpc/client.ts'

/** The row of a purchase. Once it has an outcome, no saga may change that. */
export type PurchaseState = {
  purchaseId: string
  status: string
  cancelRequested: boolean
  /** It has no saga yet, because its customer or all customers have reached the limit of running sagas. */
  queued: boolean
  /** How the purchase ended; undefined while it has not. */
  ended: PurchaseEnded | undefined
  updatedAt: number
}

/** What `GetStates` answers at once. */
const maxIds = 100

/**
 * Reads purchases from the service that owns them. Everything here throws AppError('unavailable') without an answer.
 */
export function createPurchaseRows(
  purchases: Pick<GrpcClient<'purchase'>, 'GetStates' | 'GetAccepted'>,
) {
  /** Those that exist, by id. */
  async function statesOf(ids: string[]): Promise<Map<string, PurchaseState>> {
    const found = new Map<string, PurchaseState>()
    for (let first = 0; first < ids.length; first += maxIds) {
      const purchase_ids = ids.slice(first, first + maxIds)
      const { states } = await purchases.GetStates({ purchase_ids })
      for (const state of states) found.set(state.purchase_id, toState(state))
    }
    return found
  }

  return {
    statesOf,
    stateOf: async (id: string): Promise<PurchaseState | undefined> =>
      (await statesOf([id])).get(id),
    /** The input of the purchase's saga. Throws AppError('not_found') when there is no such purchase. */
    acceptedOf: (id: string): Promise<PurchaseAccepted> =>
      purchases.GetAccepted({ purchase_id: id }),
  }
}

export type PurchaseRows = ReturnType<typeof createPurchaseRows>

type Message = Awaited<ReturnType<GrpcClient<'purchase'>['GetStates']>>['states'][number]

function toState({
  purchase_id,
  customer_id,
  reason,
  failed_step,
  ...state
}: Message): PurchaseState {
  const status = TerminalStatus.safeParse(state.status)
  return {
    purchaseId: purchase_id,
    status: state.status,
    cancelRequested: state.cancel_requested,
    queued: state.queued,
    updatedAt: state.updated_at,
    ended: status.success
      ? {
          purchase_id,
          customer_id,
          status: status.data,
          reason: reason || null,
          failed_step: failed_step || null,
        }
      : undefined,
  }
}

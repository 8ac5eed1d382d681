import { z } from 'zod'
import { eventHeader } from '../../shared/contracts/envelope.ts'
import type { Message } from '../../shared/kafka.ts'
import type { EventHandlers } from '../../shared/subscriber.ts'
import type { CancelWishes } from './cancel-wishes.ts'
import type { Sagas } from './sagas.ts'

export function createEventHandlers(
  sagas: Sagas,
  wishes: Pick<CancelWishes, 'hear'>,
): EventHandlers {
  return {
    purchaseAccepted: (accepted) => sagas.start(accepted),
    cancelWished: async ({ purchase_id }) => wishes.hear(purchase_id),
    settlementOverdue: ({ purchase_id }) => sagas.announceAgain(purchase_id),
  }
}

/** An accepted purchase that cannot be read still ends: its id stands in the headers. */
export async function refusePoison(sagas: Sagas, message: Message): Promise<void> {
  const id = z.uuid().safeParse(message.headers.purchase_id)
  if (id.success && message.headers[eventHeader] === 'purchaseAccepted') {
    await sagas.refuse(id.data)
  }
}

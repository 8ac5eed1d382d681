import { z } from 'zod'
import { eventHeader, releasedAtHeader } from '../../shared/contracts/envelope.ts'
import type { Message } from '../../shared/messaging/bus.ts'
import type { EventHandlers } from '../../shared/messaging/event-handler.ts'
import type { AnnounceAgain } from './saga/outcome.ts'
import type { Starts } from './saga/start.ts'

export function createEventHandlers(
  starts: Pick<Starts, 'start'>,
  announceAgain: AnnounceAgain,
): EventHandlers {
  return {
    purchaseAccepted: (accepted, { headers }) => {
      const releasedAt = Number(headers[releasedAtHeader]) || undefined
      return starts.start(accepted, { releasedAt })
    },
    settlementOverdue: ({ purchase_id }) => announceAgain(purchase_id),
  }
}

/** An accepted purchase that cannot be read still ends: its id stands in the headers. */
export async function refusePoison(
  starts: Pick<Starts, 'refuse'>,
  message: Message,
): Promise<void> {
  const id = z.uuid().safeParse(message.headers.purchase_id)
  if (id.success && message.headers[eventHeader] === 'purchaseAccepted') {
    await starts.refuse(id.data)
  }
}

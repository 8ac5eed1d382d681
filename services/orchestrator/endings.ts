import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import type { purchase } from '../../workflows/index.ts'

type Deps = {
  client: Client
  announce: (ended: PurchaseEnded) => Promise<void>
  /** Lets the next saga begin. */
  leave: (purchaseId: string) => void
  logger: Logger
}

/** A task that Temporal did not take is repeated after 10 s, and may find a participant away. */
const patienceMs = 60_000
const closeMs = 5_000

/** How a purchase ended, once Temporal has stored that. Throws WorkflowFailedError when its saga was ended from outside. */
export function resultOf(client: Client, purchaseId: string): Promise<PurchaseEnded> {
  return client.workflow.getHandle<typeof purchase>(purchaseWorkflowId(purchaseId)).result()
}

/**
 * The sagas that end in this process. One of a single task leaves the announcement to the process: that costs Temporal
 * neither an activity nor another task, and what the world hears is stored by then. A process that dies in between, or
 * has no Kafka, leaves it to the sweep of the purchase service, which asks for ends that do not come.
 */
export function createEndings({ client, announce, leave, logger }: Deps) {
  const open = new Set<Promise<void>>()

  async function announceStored(purchaseId: string): Promise<void> {
    try {
      const ended = await client.withDeadline(Date.now() + patienceMs, () =>
        resultOf(client, purchaseId),
      )
      await announce(ended)
    } catch (err) {
      logger.warn({ err, purchase_id: purchaseId }, 'end of purchase waits for the sweep')
    } finally {
      leave(purchaseId)
    }
  }

  return {
    /** A saga is about to return. Its task may still fail, so the end that counts is the one that Temporal has. */
    heard(purchaseId: string, isAnnounced: boolean): void {
      if (isAnnounced) leave(purchaseId)
      else {
        const announcing = announceStored(purchaseId).finally(() => open.delete(announcing))
        open.add(announcing)
      }
    },
    /** Waits for the announcements that are under way, for 5 s at most. */
    async close(): Promise<void> {
      await Promise.race([Promise.all(open), sleep(closeMs, undefined, { ref: false })])
    },
  }
}

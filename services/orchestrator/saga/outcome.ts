import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import type { PurchaseEnded } from '../../../shared/contracts/events.ts'
import { inTraceOf } from '../../../shared/messaging/traces.ts'
import { AppError } from '../../../shared/runtime/errors.ts'
import type { Logger } from '../../../shared/runtime/logger.ts'
import type { Attention } from './attention.ts'
import type { Recovery } from './recovery.ts'
import type { Restart } from './restart.ts'
import { resultOf, statusOf } from './status.ts'

type Announce = (ended: PurchaseEnded) => Promise<void>

/** A task that Temporal did not take is repeated after 10 s, and may find a participant unavailable. */
const patienceMs = 60_000
const closeMs = 5_000

/**
 * The sagas that end in this process. One of a single task leaves the announcement to the process: that costs Temporal
 * neither an activity nor another task, and what is announced is stored by then. A process that dies in between, or
 * has no Kafka, leaves it to the sweep of the purchase service, which asks for ends that do not come.
 */
export function createEndings({
  client,
  announce,
  leave,
  logger,
}: {
  client: Client
  announce: Announce
  /** Lets the next saga begin. */
  leave: (purchaseId: string) => void
  logger: Logger
}) {
  const open = new Set<Promise<void>>()

  async function announceStored(purchaseId: string): Promise<void> {
    try {
      const ended = await client.withDeadline(Date.now() + patienceMs, () =>
        resultOf(client, purchaseId),
      )
      await inTraceOf(purchaseId, () => announce(ended))
    } catch (err) {
      logger.warn({ err, purchase_id: purchaseId }, 'outcome not announced: left to the sweep')
    } finally {
      leave(purchaseId)
    }
  }

  return {
    /** A saga is about to return. Its task may still fail, so the end that counts is the one that Temporal has. */
    onCompleted(purchaseId: string, isAnnounced: boolean): void {
      if (isAnnounced) leave(purchaseId)
      else {
        const announcing = announceStored(purchaseId).finally(() => open.delete(announcing))
        open.add(announcing)
      }
    },
    /** Waits for the announcements in progress, for 5 s at most. */
    async close(): Promise<void> {
      await Promise.race([Promise.all(open), sleep(closeMs, undefined, { ref: false })])
    },
  }
}

/**
 * Makes `announceAgain`: announces the outcome of a purchase again, for a participant that did not receive it. A saga
 * that should have ended and is not there, or was ended from outside, is restarted.
 */
export function createAnnounceAgain({
  client,
  announce,
  recovery,
  restart,
  attention,
  logger,
}: {
  client: Client
  announce: Announce
  recovery: Pick<Recovery, 'recover'>
  restart: Restart
  attention: Attention
  logger: Logger
}) {
  async function answer(purchaseId: string): Promise<void> {
    const status = await statusOf(client, purchaseId)
    switch (status) {
      case 'RUNNING':
        return
      case 'COMPLETED':
        await announce(await resultOf(client, purchaseId))
        logger.info({ purchase_id: purchaseId }, 'outcome announced again')
        return
      case 'MISSING':
        // A participant holds something of a purchase that does not exist: no saga knows its outcome.
        if (!(await restart(purchaseId))) await attention.flag(purchaseId, 'saga_broken')
        return
      default:
        await recovery.recover(purchaseId)
    }
  }

  return async (purchaseId: string): Promise<void> => {
    try {
      await answer(purchaseId)
    } catch (err) {
      // The participant asks again, so this message need not wait for the purchase service and delay others.
      if (!(err instanceof AppError && err.kind === 'unavailable')) throw err
      logger.warn(
        { err, purchase_id: purchaseId },
        'outcome not known yet: purchase service unavailable',
      )
    }
  }
}

export type AnnounceAgain = ReturnType<typeof createAnnounceAgain>

// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow'
import type { PurchaseAccepted, PurchaseEnded } from '../shared/contracts/events.ts'
import { announceEndId } from '../shared/contracts/saga.ts'
import { commandSteps, type DoName, doNames } from '../shared/contracts/steps.ts'
import { requestOf } from '../workflows/requests.ts'

export type CeilingActivities = {
  [N in DoName]: (id: string, request: unknown) => Promise<{ outcome: 'done' }>
} & { announceEnd(ended: PurchaseEnded): Promise<void> }

/** The steps of a purchase as a plain workflow, without undos and participants. */
async function takeSteps(
  accepted: PurchaseAccepted,
  activities: (step: string) => CeilingActivities,
): Promise<PurchaseEnded> {
  const { purchase_id, customer_id } = accepted
  for (const name of doNames) {
    await activities(commandSteps[name].step)[name](purchase_id, requestOf[name](accepted))
  }
  const end = { purchase_id, customer_id, reason: null, failed_step: null }
  const ended: PurchaseEnded = { ...end, status: 'COMPLETED' }
  await activities(announceEndId).announceEnd(ended)
  return ended
}

const startToCloseTimeout = '10 s'

export function plainSteps(accepted: PurchaseAccepted): Promise<PurchaseEnded> {
  return takeSteps(accepted, (activityId) => proxyActivities({ activityId, startToCloseTimeout }))
}

export function localSteps(accepted: PurchaseAccepted): Promise<PurchaseEnded> {
  return takeSteps(accepted, () => proxyLocalActivities({ startToCloseTimeout }))
}

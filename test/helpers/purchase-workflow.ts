import { randomUUID } from 'node:crypto'
import { activityInfo, CompleteAsyncError, Context } from '@temporalio/activity'
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client'
import { Worker } from '@temporalio/worker'
import type { Activities as AllActivities } from '../../activities/index.ts'
import type {
  AttentionNeeded,
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
} from '../../shared/contracts/events.ts'
import { type SagaState, sagaQuery, type UndoState } from '../../shared/contracts/saga.ts'
import {
  type CommandName,
  commandNames,
  doNames,
  type RefundCommandName,
  undoOf,
} from '../../shared/contracts/steps.ts'
import type { History } from '../../shared/runtime/temporal.ts'
import type { purchase } from '../../workflows/index.ts'
import type { StepSettings } from '../../workflows/run-step.ts'
import { buildPurchase } from './purchases.ts'
import { agreed } from './replies.ts'
import { withTimeSkippingTemporal } from './temporal.ts'

/** Whatever a busy machine does, no participant that answers is too late. */
export const settings = { stepTimeoutMs: 30_000, stepAttempts: 3, replyWaitMs: 0 }
/** Takes the fast path first. */
export const fast = { ...settings, replyWaitMs: 30_000 }
/** Leaves its announcement to who ran it, when it was one task. */
export const brief = { ...fast, announceOnceStored: true }
/**
 * For participants that do not answer. The time-skipping server does not skip while an activity is open, so what has
 * to run out is short.
 */
export const impatient = { ...settings, stepTimeoutMs: 1_000 }
export const fastImpatient = { ...impatient, replyWaitMs: 1_000 }
/** For one that answers on the fallback only. */
export const hasty = { ...fast, replyWaitMs: 1_000 }
export const done = { outcome: 'done' } as const
export const everyUndo = doNames.map((name) => undoOf[name]).reverse()

/** The activities of the purchase saga. */
export type Activities = Omit<AllActivities, RefundCommandName | 'announceRefundEnd'>

/** The saga of one purchase. */
export type PurchaseHandle = WorkflowHandleWithFirstExecutionRunId<typeof purchase>

/** What a worker was asked to do and told, in order. */
export type Worked = {
  taskQueue: string
  calls: string[]
  announced: PurchaseEnded[]
  flagged: AttentionNeeded[]
  acted: OperatorActed[]
  completed: { id: string; isAnnounced: boolean }[]
}

/** Every participant agrees. */
const participants = Object.fromEntries(
  commandNames.map((name) => [name, async () => agreed[name]]),
) as unknown as Pick<Activities, CommandName>

export function actionOf(purchaseId: string, rest: Partial<OperatorActed>): OperatorActed {
  return {
    action_id: randomUUID(),
    purchase_id: purchaseId,
    operator: 'lan',
    action: 'retry',
    step: null,
    note: null,
    at: new Date().toISOString(),
    ...rest,
  }
}

/** Never answers: the attempt ends when its time is up. */
export async function silence(): Promise<never> {
  if (activityInfo().isLocal) return Context.current().cancelled
  throw new CompleteAsyncError()
}

/** For a `describe`: workers whose participants agree, on a server that skips time. */
export function withPurchaseWorkers() {
  const world = withTimeSkippingTemporal()

  /** Runs `body` against a worker whose participants all agree, but for `overrides`; notes who was called. */
  async function withWorker<T>(
    overrides: Partial<Activities>,
    body: (worked: Worked) => Promise<T>,
  ): Promise<T> {
    const taskQueue = randomUUID()
    const calls: string[] = []
    const announced: PurchaseEnded[] = []
    const flagged: AttentionNeeded[] = []
    const acted: OperatorActed[] = []
    const completed: Worked['completed'] = []
    const agreeable: Activities = {
      ...participants,
      announceEnd: async (ended) => {
        announced.push(ended)
      },
      announceAttention: async (needed) => {
        flagged.push(needed)
      },
      announceAction: async (action) => {
        acted.push(action)
      },
    }
    const noted = Object.entries({ ...agreeable, ...overrides }).map(([name, activity]) => {
      const call = (...args: never[]) => {
        calls.push(name)
        return (activity as (...args: never[]) => Promise<unknown>)(...args)
      }
      return [name, call]
    })
    const worker = await Worker.create({
      connection: world.temporal.nativeConnection,
      taskQueue,
      workflowBundle: world.bundle,
      activities: Object.fromEntries(noted),
      sinks: {
        workflowCompletion: {
          onCompleted: {
            fn: (_info, id: string, isAnnounced: boolean) =>
              void completed.push({ id, isAnnounced }),
          },
        },
      },
    })
    return worker.runUntil(body({ taskQueue, calls, announced, flagged, acted, completed }))
  }

  function start(
    taskQueue: string,
    accepted: PurchaseAccepted,
    patience: StepSettings = settings,
    workflowTaskTimeout: '2 s' | '30 s' = '30 s',
  ) {
    return world.temporal.client.workflow.start<typeof purchase>('purchase', {
      workflowId: `purchase-${accepted.purchase_id}`,
      taskQueue,
      args: [accepted, patience],
      workflowTaskTimeout,
    })
  }

  function buy(
    overrides: Partial<Activities>,
    accepted = buildPurchase(),
    patience: StepSettings = settings,
  ) {
    return withWorker(overrides, async ({ taskQueue, calls, announced, completed }) => {
      const handle = await start(taskQueue, accepted, patience)
      return { ended: await handle.result(), calls, announced, completed, handle }
    })
  }

  return { world, withWorker, start, buy }
}

/** How each undo stands, as the saga itself says. */
export async function stateOf(handle: {
  query: <T>(name: string) => Promise<T>
}): Promise<Record<string, UndoState['state']>> {
  const { undos } = await handle.query<SagaState>(sagaQuery)
  return Object.fromEntries(undos.map(({ step, state }) => [step, state]))
}

/** The activities that the server knows, in order; local ones leave markers only. */
export async function activitiesOf(handle: { fetchHistory: () => Promise<History> }) {
  const { events } = await handle.fetchHistory()
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
  )
}

/** What the Web UI could filter the purchase by, one after another. */
export async function statusesOf(handle: {
  fetchHistory: () => Promise<History>
}): Promise<string[]> {
  const { events } = await handle.fetchHistory()
  return (events ?? []).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) => {
    const data = upsert?.searchAttributes?.indexedFields?.PurchaseStatus?.data
    return data ? [JSON.parse(Buffer.from(data).toString())] : []
  })
}

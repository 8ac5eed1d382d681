import { Worker, type WorkerOptions } from '@temporalio/worker'
import { createActivities } from '../../../activities/index.ts'
import { type Temporal, taskQueue } from '../../../shared/runtime/temporal.ts'
import { bundledWorkflows } from './bundle.ts'
import { inThisThread } from './sandbox.ts'
import type { TemporalInterceptors } from './traces.ts'

/** For sagas that another replica started. */
const spareSlots = 40

/**
 * What the benchmark's bare worker has in common with this one. A dead worker's workflows move to another after the
 * sticky timeout, so that is short. The grace is well below a supervisor's patience and long enough for an activity to
 * publish its command.
 */
export const workerOptions = {
  ...inThisThread,
  maxConcurrentWorkflowTaskPolls: 16,
  maxConcurrentActivityTaskPolls: 2,
  stickyQueueScheduleToStartTimeout: '3 s',
  shutdownGraceTime: '5 s',
} satisfies Partial<WorkerOptions>

/** Runs the workflows and activities of the purchase saga. */
export async function startWorker(
  temporal: Temporal,
  deps: Parameters<typeof createActivities>[0],
  {
    maxSagas,
    maxCachedWorkflows,
    interceptors,
    onCompleted,
  }: {
    maxSagas: number
    maxCachedWorkflows: number
    interceptors: TemporalInterceptors['activity']
    onCompleted: (purchaseId: string, isAnnounced: boolean) => void
  },
) {
  const worker = await Worker.create({
    connection: temporal.connection,
    namespace: temporal.namespace,
    taskQueue,
    workflowBundle: await bundledWorkflows(),
    activities: createActivities(deps),
    ...workerOptions,
    interceptors: { activity: interceptors },
    sinks: {
      workflowCompletion: {
        onCompleted: {
          fn: (_info, id: string, isAnnounced: boolean) => onCompleted(id, isAnnounced),
        },
      },
    },
    maxCachedWorkflows,
    // A saga whose step waits here holds one of each.
    maxConcurrentWorkflowTaskExecutions: maxSagas + spareSlots,
    maxConcurrentLocalActivityExecutions: maxSagas + spareSlots,
  })
  // Left uncaught on purpose: a worker that fails ends the process, and its supervisor starts a new one.
  const ended = worker.run()

  return {
    running: () => worker.getState() === 'RUNNING',
    async close() {
      if (worker.getState() === 'RUNNING') worker.shutdown()
      await ended
    },
  }
}

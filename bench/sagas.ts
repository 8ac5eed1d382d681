import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection, type ConnectionLike } from '@temporalio/client'
import { defaultPayloadConverter } from '@temporalio/common'
import type { PurchaseEnded } from '../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../shared/ids.ts'
import { namespace } from '../temporal/setup.ts'
import { inParallel } from './in-parallel.ts'

/** How a saga stands; `result` is the status that it returned. */
export type Saga = { state: 'missing' | 'RUNNING' | 'COMPLETED' | 'FAILED'; result?: string }

/** What a saga cost Temporal. */
export type SagaCost = { events: number; bytes: number; transitions: number }

const readsAtOnce = 64
const closeEventOnly = 2
const notFound = 5
const pollMs = 100

export type Sagas = Awaited<ReturnType<typeof connectSagas>>

/** Reads the sagas of a Temporal server. */
export async function connectSagas(address: string) {
  const connection = await Connection.connect({ address })
  const { workflow } = new Client({ connection, namespace })

  return {
    /** How many run, as the search index has it, which is a moment behind. */
    countRunning: async () => (await workflow.count(`ExecutionStatus = 'Running'`)).count,

    /**
     * Those that did not end by returning: they run, or ended in a way that no saga may. A run that was taken up again
     * is not the saga any more.
     */
    async listNotCompleted() {
      const query = `ExecutionStatus != 'Completed'`
      const runs = await Array.fromAsync(workflow.list({ query }))
      const ids = [...new Set(runs.map(({ workflowId }) => workflowId))]
      const latest = await inParallel(ids, readsAtOnce, (id) => workflow.getHandle(id).describe())
      return latest
        .filter(({ status }) => status.name !== 'COMPLETED')
        .map(({ workflowId, status }) => ({ workflowId, state: status.name }))
    },

    /**
     * The sagas of purchases that have ended, by purchase id, each from its history and so never stale. One that is
     * about to close is waited for, `patienceMs` at most.
     */
    async read(purchaseIds: string[], patienceMs: number): Promise<Map<string, Saga>> {
      const end = Date.now() + patienceMs
      const sagas = await inParallel(purchaseIds, readsAtOnce, async (id) => {
        for (;;) {
          const saga = await readSaga(connection, id)
          if (saga.state !== 'RUNNING' || Date.now() > end) return [id, saga] as const
          await sleep(pollMs)
        }
      })
      return new Map(sagas)
    },

    /** The mean cost of the sagas of these purchases. */
    async meanCost(purchaseIds: string[]): Promise<SagaCost> {
      const costs = await inParallel(purchaseIds, readsAtOnce, async (id) => {
        const { workflowExecutionInfo: info } =
          await connection.workflowService.describeWorkflowExecution({
            namespace,
            execution: { workflowId: purchaseWorkflowId(id) },
          })
        return {
          events: Number(info?.historyLength ?? 0),
          bytes: Number(info?.historySizeBytes ?? 0),
          transitions: Number(info?.stateTransitionCount ?? 0),
        }
      })
      const mean = (field: keyof SagaCost) =>
        costs.reduce((sum, cost) => sum + cost[field], 0) / costs.length
      return { events: mean('events'), bytes: mean('bytes'), transitions: mean('transitions') }
    },

    close: () => connection.close(),
  }
}

async function readSaga(connection: ConnectionLike, purchaseId: string): Promise<Saga> {
  try {
    const { history } = await connection.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId: purchaseWorkflowId(purchaseId) },
      historyEventFilterType: closeEventOnly,
    })
    const last = history?.events?.at(-1)
    const payload = last?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0]
    if (payload) {
      const { status } = defaultPayloadConverter.fromPayload<PurchaseEnded>(payload)
      return { state: 'COMPLETED', result: status }
    }
    const failed =
      last?.workflowExecutionFailedEventAttributes ??
      last?.workflowExecutionTimedOutEventAttributes ??
      last?.workflowExecutionTerminatedEventAttributes ??
      last?.workflowExecutionCanceledEventAttributes
    return { state: failed ? 'FAILED' : 'RUNNING' }
  } catch (error) {
    if ((error as { code?: number }).code === notFound) return { state: 'missing' }
    throw error
  }
}

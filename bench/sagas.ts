import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type ConnectionLike } from '@temporalio/client'
import { defaultPayloadConverter } from '@temporalio/common'
import type { PurchaseEnded, RefundEnded } from '../shared/contracts/events.ts'
import { purchaseIdOf, purchaseWorkflowId, refundWorkflowId } from '../shared/contracts/ids.ts'
import { connectToTemporal } from '../temporal/connect.ts'
import { namespace } from '../temporal/setup.ts'
import type * as workflows from '../workflows/index.ts'
import { inParallel } from './in-parallel.ts'

/** The state of a saga; `result` is the status that it returned. */
export type Saga = { state: 'missing' | 'RUNNING' | 'COMPLETED' | 'FAILED'; result?: string }

/** What a saga cost Temporal. */
export type SagaCost = { events: number; bytes: number; transitions: number }

const readsAtOnce = 64
/** A page of the search index, whose entries take some kB each. */
const pageSize = 200
/** The other workflows of the namespace, such as those of the ceiling, are no sagas. */
const sagaTypes = [
  'purchase',
  'refusePurchase',
  'finishPurchase',
] satisfies (keyof typeof workflows)[]
const ofSagas = `WorkflowType IN (${sagaTypes.map((type) => `'${type}'`).join(', ')})`
const refundType = 'refund' satisfies keyof typeof workflows
const ofRefunds = `WorkflowType = '${refundType}'`
const ofAllSagas = `(${ofSagas} OR ${ofRefunds})`
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const closeEventOnly = 2
const notFound = 5
const pollMs = 100

export type Sagas = Awaited<ReturnType<typeof connectSagas>>

/** Reads the sagas of a Temporal server. */
export async function connectSagas(address: string) {
  const connection = await connectToTemporal(address)
  const { workflow } = new Client({ connection, namespace })

  async function* idsOf(
    query: string,
    idOf: (workflowId: string) => string | undefined,
    maxEnded: number,
  ): AsyncGenerator<string[]> {
    let ended = 0
    let page: string[] = []
    // The index is in this order.
    for await (const { workflowId, status } of workflow.list({ query, pageSize })) {
      if (status.name !== 'RUNNING' && ++ended > maxEnded) break
      const id = idOf(workflowId)
      if (id !== undefined) page.push(id)
      if (page.length < pageSize) continue
      yield page
      page = []
    }
    yield page
  }

  /** Each from its history and so never stale. One that is about to close is waited for, `patienceMs` at most. */
  async function readAll(
    ids: string[],
    workflowIdOf: (id: string) => string,
    patienceMs: number,
  ): Promise<Map<string, Saga>> {
    const end = Date.now() + patienceMs
    const sagas = await inParallel(ids, readsAtOnce, async (id) => {
      for (;;) {
        const saga = await readSaga(connection, workflowIdOf(id))
        if (saga.state !== 'RUNNING' || Date.now() > end) return [id, saga] as const
        await sleep(pollMs)
      }
    })
    return new Map(sagas)
  }

  return {
    /** How many run, as the search index has it, which lags by a moment. */
    countRunning: async () =>
      (await workflow.count(`ExecutionStatus = 'Running' AND ${ofAllSagas}`)).count,

    /**
     * The purchases that have a saga, in pages: all whose sagas run, and after them those whose sagas ended last, until
     * `maxEnded` of these.
     */
    purchaseIds: (maxEnded: number) => idsOf(ofSagas, sagaIdOf, maxEnded),

    /** The same of the refunds that have a saga. */
    refundIds: (maxEnded: number) => idsOf(ofRefunds, refundIdOf, maxEnded),

    /**
     * Those that did not end by returning, in pages: they run, or ended in a way that no saga may. A run that was
     * restarted is not the saga any more.
     */
    async *notCompleted(): AsyncGenerator<{ workflowId: string; state: string }[]> {
      const query = `ExecutionStatus != 'Completed' AND ${ofAllSagas}`
      const seen = new Set<string>()
      const look = async (ids: string[]) => {
        const handles = await inParallel(ids, readsAtOnce, (id) =>
          workflow.getHandle(id).describe(),
        )
        return handles
          .filter(({ status }) => status.name !== 'COMPLETED')
          .map(({ workflowId, status }) => ({ workflowId, state: status.name }))
      }
      let page: string[] = []
      for await (const { workflowId } of workflow.list({ query, pageSize })) {
        const isSaga = sagaIdOf(workflowId) !== undefined || isRefund(workflowId)
        if (!isSaga || seen.has(workflowId)) continue
        seen.add(workflowId)
        page.push(workflowId)
        if (page.length < pageSize) continue
        yield await look(page)
        page = []
      }
      yield await look(page)
    },

    /** The sagas of purchases that have ended, by purchase id. */
    read: (purchaseIds: string[], patienceMs: number) =>
      readAll(purchaseIds, purchaseWorkflowId, patienceMs),

    /** Those of refunds that have ended, by refund id. */
    readRefunds: (refundIds: string[], patienceMs: number) =>
      readAll(refundIds, refundWorkflowId, patienceMs),

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

/** Whether a workflow is the saga of a refund. */
export function isRefund(workflowId: string): boolean {
  return refundIdOf(workflowId) !== undefined
}

/** The refund of a saga; undefined for any other workflow. */
function refundIdOf(workflowId: string): string | undefined {
  const id = workflowId.replace(/^refund-/, '')
  return uuid.test(id) && workflowId === refundWorkflowId(id) ? id : undefined
}

/** The purchase of a saga; undefined for any other workflow. */
function sagaIdOf(workflowId: string): string | undefined {
  const id = purchaseIdOf(workflowId)
  return uuid.test(id) && workflowId === purchaseWorkflowId(id) ? id : undefined
}

async function readSaga(connection: ConnectionLike, workflowId: string): Promise<Saga> {
  try {
    const { history } = await connection.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId },
      historyEventFilterType: closeEventOnly,
    })
    const last = history?.events?.at(-1)
    const payload = last?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0]
    if (payload) {
      const { status } = defaultPayloadConverter.fromPayload<PurchaseEnded | RefundEnded>(payload)
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

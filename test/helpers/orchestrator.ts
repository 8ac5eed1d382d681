import { WorkflowNotFoundError } from '@temporalio/client'
import { start } from '../../services/orchestrator/main.ts'
import type { AnyReply } from '../../shared/contracts/commands.ts'
import type {
  AttentionNeeded,
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
  RefundEnded,
  RefundRequested,
} from '../../shared/contracts/events.ts'
import { purchaseWorkflowId, refundWorkflowId } from '../../shared/contracts/ids.ts'
import { cancelUpdateId } from '../../shared/contracts/saga.ts'
import { type AnyCommandName, commandTopics } from '../../shared/contracts/steps.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import { parseHeaders, sendEvent, sendReply } from '../../shared/messaging/messages.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { operators } from './operators.ts'
import { buildPurchase } from './purchases.ts'
import { agreed } from './replies.ts'
import { updateIsSent } from './sent-updates.ts'
import { quietTemporal } from './temporal.ts'
import { createTestNamespace } from './temporal-namespace.ts'
import { createTestTopics } from './topics.ts'

/** What a participant answers to a command; `silent`: nothing. */
export type Participant = (command: AnyCommandName, attempt: number) => Promise<AnyReply | 'silent'>

export const agree: Participant = async (command) => agreed[command]

const emptyRecord = {
  attention_reason: '',
  needs_attention_at: 0,
  released_at: 0,
  published_at: 0,
  cancel_requested_at: 0,
  cancel_delivered_at: 0,
  created_at: 1,
  steps: [],
  actions: [],
}
const noAmount = { amount: 0, currency_code: 'VND' }
const noneOpen = {
  queued: 0,
  accepted: 0,
  processing: 0,
  cancelling: 0,
  oldest_at: 0,
  needs_attention: 0,
}

/**
 * An orchestrator with topics and a Temporal namespace of its own. Participants answer as each purchase says;
 * everything between them is real, and a purchase can be held at any step.
 */
export async function startOrchestrator({
  stepTimeoutMs = 3_000,
  stepAttempts = 5,
  overdueMs = 300_000,
  replyWaitMs = 0,
} = {}) {
  await using starting = new AsyncDisposableStack()
  quietTemporal()
  const temporal = starting.adopt(await createTestNamespace(), (it) => it.close())
  const topics = starting.adopt(await createTestTopics(), (it) => it.close())
  const results = await topics.read('purchase-results')
  const kafka = starting.adopt(await topics.connect('participants'), (it) => it.close())
  const asked: { name: AnyCommandName; id: string; run: string }[] = []
  const participants = new Map<string, Participant>()
  await kafka.consume({
    group: 'participants',
    topics: commandTopics,
    async handle(message) {
      const headers = parseHeaders(message)
      const { command: name, purchase_id: id, run_id: run } = headers
      asked.push({ name, id, run })
      const attempt = asked.filter((ask) => ask.name === name && ask.id === id).length
      // Not awaited: one purchase that is held must not hold up the next command of its own.
      void (async () => {
        const answer = await (participants.get(id) ?? agree)(name, attempt)
        if (answer === 'silent') return
        // One that is lost, as when a test ends meanwhile, is asked for again.
        await sendReply(kafka.publish, headers, answer).catch(() => undefined)
      })()
    },
  })
  /** What the purchase service has rows of: what was bought here. */
  const accepted = new Map<string, PurchaseAccepted>()
  const cancelRequested = new Set<string>()
  const queued = new Set<string>()
  const endedRows = new Map<string, PurchaseEnded>()
  /** Which rows were asked for together. */
  const lookups: string[][] = []
  const eventsOf = <T>(name: string, id: string): T[] =>
    results
      .filter(({ key, headers }) => key === id && headers.event === name)
      .map(({ value }) => JSON.parse(value))
  const rowOf = (id: string) => {
    const ended = endedRows.get(id) ?? eventsOf<PurchaseEnded>('purchaseEnded', id)[0]
    return {
      purchase_id: id,
      customer_id: accepted.get(id)?.customer_id ?? '',
      status: ended?.status ?? 'PROCESSING',
      reason: ended?.reason ?? '',
      failed_step: ended?.failed_step ?? '',
      cancel_requested: cancelRequested.has(id),
      updated_at: 0,
      queued: queued.has(id),
    }
  }
  const purchases = await startGrpcServer({
    service: 'purchase',
    host: '127.0.0.1',
    port: 0,
    logger: createLogger('purchase', 'silent'),
    handlers: {
      async GetStates({ purchase_ids }) {
        lookups.push(purchase_ids)
        return { states: purchase_ids.filter((id) => accepted.has(id)).map(rowOf) }
      },
      async GetAccepted({ purchase_id }) {
        const found = accepted.get(purchase_id)
        if (!found) throw new AppError('not_found', 'no such purchase')
        return found
      },
      async GetRecord({ purchase_id }) {
        const found = accepted.get(purchase_id)
        if (!found) throw new AppError('not_found', 'no such purchase')
        return { ...emptyRecord, ...rowOf(purchase_id), accepted: found }
      },
      async ListAttention() {
        const flagged = [...accepted.keys()].flatMap((id) => {
          const [first] = eventsOf<AttentionNeeded>('attentionNeeded', id)
          return first ? [{ ...rowOf(id), since: 1, reason: first.reason, ...noAmount }] : []
        })
        return { purchases: flagged }
      },
      GetReceipts: async () => ({ receipts: [] }),
      ForgetCustomer: async () => ({ unfinished: 0, more: false }),
      CountOpen: async () => ({ ...noneOpen, processing: accepted.size }),
    },
  })
  starting.defer(() => purchases.close())
  const config = {
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 0,
    GRPC_PORT: 0,
    GRPC_ADDRESS: `127.0.0.1:${purchases.port}`,
    LOG_LEVEL: 'silent',
    APP_ENV: 'local',
    MAX_IN_FLIGHT: 256,
    CORS_ORIGINS: [] as string[],
    DRAIN_NOTICE_MS: 0,
    MAX_UNFINISHED_SAGAS: 100,
    STEP_TIMEOUT_MS: stepTimeoutMs,
    STEP_ATTEMPTS: stepAttempts,
    SAGA_OVERDUE_MS: overdueMs,
    UNDO_PAUSE_MS: 30_000,
    MAX_CACHED_WORKFLOWS: 500,
    REPLY_WAIT_MS: replyWaitMs,
    TEMPORAL_UI_URL: 'http://temporal.example',
    TEMPORAL_METRICS_ADDRESS: '',
    CONSOLE_STREAMS_MAX: 4,
    ...operators.config,
    ...temporal.config,
    ...topics.config,
  } as const
  const startReplica = () => start(config, createLogger('orchestrator', 'silent'))
  const orchestrator = starting.adopt(await startReplica(), (it) => it.close())
  const sagas = starting.adopt(
    connectGrpc('saga', `127.0.0.1:${orchestrator.grpcPort}`, { deadlineMs: 10_000 }),
    (it) => it.close(),
  )
  const impatient = starting.adopt(
    connectGrpc('saga', `127.0.0.1:${orchestrator.grpcPort}`),
    (it) => it.close(),
  )
  const running = starting.move()

  return {
    client: temporal.client,
    temporal: temporal.config,
    kafka,
    /** Repeats the call until it is answered, as the sweep of the purchase service does. */
    cancel: (purchase: PurchaseAccepted): Promise<{ verdict: string }> =>
      waitFor(
        'the cancel request to be accepted',
        () => sagas.Cancel(purchase).catch(() => undefined),
        60_000,
      ),
    /** Asks once, as the request of a customer does. */
    cancelOnce: (purchase: PurchaseAccepted) => impatient.Cancel(purchase),
    /** Waits until Temporal has a cancel request, which its saga may not have received yet. */
    cancelIsSent: (id: string) =>
      updateIsSent(temporal.client, purchaseWorkflowId(id), cancelUpdateId),
    /** Notes a cancel request on the row that the orchestrator was not told. */
    requestCancel: (id: string) => cancelRequested.add(id),
    /** Accepts a purchase that is in the queue: it may not start yet. */
    queue(purchase: PurchaseAccepted): void {
      accepted.set(purchase.purchase_id, purchase)
      queued.add(purchase.purchase_id)
    },
    /** The row says so, whatever the saga does. */
    endRow: (ended: PurchaseEnded) => endedRows.set(ended.purchase_id, ended),
    /** Deletes the workflow of a purchase, and with it all that Temporal knows of it. */
    async deleteSaga(id: string): Promise<void> {
      const { workflowService, options } = temporal.client.workflow
      await workflowService.deleteWorkflowExecution({
        namespace: options.namespace,
        workflowExecution: { workflowId: purchaseWorkflowId(id) },
      })
      const handle = temporal.client.workflow.getHandle(purchaseWorkflowId(id))
      const isGone = () =>
        handle.describe().then(
          () => false,
          (error) => error instanceof WorkflowNotFoundError,
        )
      await waitFor('the workflow to be deleted', isGone)
    },
    endsOf: (id: string) => eventsOf<PurchaseEnded>('purchaseEnded', id),
    /** Asks how a purchase ended, as participants do. */
    sendOverdue: (id: string) => sendEvent(kafka.publish, 'settlementOverdue', { purchase_id: id }),
    lookups,
    startReplica,
    /** Accepts a purchase whose commands are answered by `participant`. */
    async buy(participant: Participant = agree, purchase = buildPurchase()): Promise<string> {
      participants.set(purchase.purchase_id, participant)
      accepted.set(purchase.purchase_id, purchase)
      await sendEvent(kafka.publish, 'purchaseAccepted', purchase)
      return purchase.purchase_id
    },
    answer: (id: string, participant: Participant) => participants.set(id, participant),
    /** What was asked for, each command once. */
    asksOf: (id: string): AnyCommandName[] => [
      ...new Set(asked.filter((ask) => ask.id === id).map(({ name }) => name)),
    ],
    /** How many runs of the saga asked for a command, however often each of them did. */
    runsThatAsked: (id: string, command: AnyCommandName): number =>
      new Set(asked.filter((ask) => ask.id === id && ask.name === command).map(({ run }) => run))
        .size,
    asked: (id: string, command: AnyCommandName) =>
      waitFor(
        `${command} to be asked for`,
        () => asked.some((ask) => ask.id === id && ask.name === command),
        60_000,
      ),
    /** Starts the saga of a refund, whose commands are answered by `participant`. */
    async refund(
      requested: RefundRequested,
      participant: Participant = agree,
    ): Promise<{ state: string }> {
      participants.set(requested.purchase_id, participant)
      return sagas.StartRefund({ ...requested, seller_id: requested.seller_id ?? '' })
    },
    refundEndsOf: (purchaseId: string) => eventsOf<RefundEnded>('refundEnded', purchaseId),
    refundHandleOf: (refundId: string) =>
      temporal.client.workflow.getHandle(refundWorkflowId(refundId)),
    endOf: (id: string, deadlineMs = 60_000): Promise<PurchaseEnded> =>
      waitFor('the end', () => eventsOf<PurchaseEnded>('purchaseEnded', id)[0], deadlineMs),
    flagsOf: (id: string) => eventsOf<AttentionNeeded>('attentionNeeded', id),
    actionsOf: (id: string) => eventsOf<OperatorActed>('operatorActed', id),
    /** The first action on a purchase; it may be read after the end that it led to. */
    actionOf: (id: string): Promise<OperatorActed> =>
      waitFor('the action', () => eventsOf<OperatorActed>('operatorActed', id)[0]),
    handleOf: (id: string) => temporal.client.workflow.getHandle(purchaseWorkflowId(id)),
    /** A request to the operator API. */
    async operate<T>(
      method: 'GET' | 'POST',
      path: string,
      body?: unknown,
      token = operators.token,
    ) {
      const response = await fetch(`http://127.0.0.1:${orchestrator.port}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: (await response.json()) as T }
    },
    close: () => running.disposeAsync(),
  }
}

export type TestOrchestrator = Awaited<ReturnType<typeof startOrchestrator>>

/** Holds a purchase at a command until it is told to go on. */
export function holdAt(...held: AnyCommandName[]) {
  const gate = Promise.withResolvers<void>()
  const participant: Participant = async (command, attempt) => {
    if (held.includes(command)) await gate.promise
    return agree(command, attempt)
  }
  return { participant, release: () => gate.resolve() }
}

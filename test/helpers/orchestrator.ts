import { waitFor } from '../../scripts/wait-for.ts'
import { start } from '../../services/orchestrator/main.ts'
import { type AnyReply, type CommandName, commands } from '../../shared/contracts/commands.ts'
import type {
  AttentionNeeded,
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
} from '../../shared/contracts/events.ts'
import { connectGrpc } from '../../shared/grpc.ts'
import { purchaseWorkflowId } from '../../shared/ids.ts'
import { createLogger } from '../../shared/logger.ts'
import { parseHeaders, sendEvent, sendReply } from '../../shared/messages.ts'
import { operators } from './operators.ts'
import { buildPurchase } from './purchases.ts'
import { quietTemporal } from './temporal.ts'
import { createTestNamespace } from './temporal-namespace.ts'
import { createTestTopics } from './topics.ts'

/** What a participant answers to a command; `silent`: nothing. */
export type Participant = (command: CommandName, attempt: number) => Promise<AnyReply | 'silent'>

const done = { outcome: 'done' } as const

export const agree: Participant = async (command) =>
  command === 'takePayment' ? { ...done, provider_reference: 'reference' } : done

/**
 * An orchestrator with topics and a Temporal namespace of its own, and participants that answer as each purchase says:
 * everything between them is real, and a purchase can be held at any step.
 */
export async function startOrchestrator({
  stepTimeoutMs = 3_000,
  stepAttempts = 5,
  overdueMs = 300_000,
  replyWaitMs = 0,
  /** Where the purchase service is; by default nobody is there. */
  purchaseAddress = '127.0.0.1:1',
} = {}) {
  await using starting = new AsyncDisposableStack()
  quietTemporal()
  const temporal = starting.adopt(await createTestNamespace(), (it) => it.close())
  const topics = starting.adopt(await createTestTopics(), (it) => it.close())
  const results = await topics.read('purchase-results')
  const kafka = starting.adopt(await topics.connect('participants'), (it) => it.close())
  const asked: { name: CommandName; id: string }[] = []
  const participants = new Map<string, Participant>()
  await kafka.consume({
    group: 'participants',
    topics: ['product-commands', 'order-commands', 'payment-commands'],
    async handle(message) {
      const headers = parseHeaders(message)
      const { command: name, purchase_id: id } = headers
      asked.push({ name, id })
      const attempt = asked.filter((ask) => ask.name === name && ask.id === id).length
      // Not awaited: one purchase that is held must not hold up the next command of its own.
      void (async () => {
        const answer = await (participants.get(id) ?? agree)(name, attempt)
        if (answer !== 'silent') await sendReply(kafka.publish, headers, answer)
      })()
    },
  })
  const config = {
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 0,
    GRPC_PORT: 0,
    GRPC_ADDRESS: purchaseAddress,
    LOG_LEVEL: 'silent',
    APP_ENV: 'local',
    MAX_IN_FLIGHT: 256,
    MAX_UNFINISHED_SAGAS: 100,
    STEP_TIMEOUT_MS: stepTimeoutMs,
    STEP_ATTEMPTS: stepAttempts,
    SAGA_OVERDUE_MS: overdueMs,
    UNDO_PAUSE_MS: 30_000,
    MAX_CACHED_WORKFLOWS: 500,
    REPLY_WAIT_MS: replyWaitMs,
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
  const eventsOf = <T>(name: string, id: string): T[] =>
    results
      .filter(({ key, headers }) => key === id && headers.event === name)
      .map(({ value }) => JSON.parse(value))
  const running = starting.move()

  return {
    client: temporal.client,
    temporal: temporal.config,
    kafka,
    /** Asks until somebody answers, as the purchase service does. */
    cancel: (accepted: PurchaseAccepted): Promise<{ verdict: string }> =>
      waitFor('the wish to be heard', () => sagas.Cancel(accepted).catch(() => undefined), 60_000),
    startReplica,
    /** Accepts a purchase whose commands are answered by `participant`. */
    async buy(participant: Participant = agree, accepted = buildPurchase()): Promise<string> {
      participants.set(accepted.purchase_id, participant)
      await sendEvent(kafka.publish, 'purchaseAccepted', accepted)
      return accepted.purchase_id
    },
    answer: (id: string, participant: Participant) => participants.set(id, participant),
    /** What was asked for, each command once. */
    asksOf: (id: string): CommandName[] => [
      ...new Set(asked.filter((ask) => ask.id === id).map(({ name }) => name)),
    ],
    asked: (id: string, command: CommandName) =>
      waitFor(
        `${command} to be asked for`,
        () => asked.some((ask) => ask.id === id && ask.name === command),
        60_000,
      ),
    endOf: (id: string, deadlineMs = 60_000): Promise<PurchaseEnded> =>
      waitFor('the end', () => eventsOf<PurchaseEnded>('purchaseEnded', id)[0], deadlineMs),
    flagsOf: (id: string) => eventsOf<AttentionNeeded>('attentionNeeded', id),
    actionsOf: (id: string) => eventsOf<OperatorActed>('operatorActed', id),
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
export function holdAt(held: CommandName) {
  const gate = Promise.withResolvers<void>()
  const participant: Participant = async (command, attempt) => {
    if (command === held) await gate.promise
    return agree(command, attempt)
  }
  return { participant, release: () => gate.resolve() }
}

export const forwardCommands = Object.keys(commands).filter(
  (name) => !('undoes' in commands[name as CommandName]),
) as CommandName[]

import { start } from '../../services/orchestrator/main.ts'
import type { AnyReply, RejectionReason } from '../../shared/contracts/commands.ts'
import type { PurchaseAccepted, PurchaseEnded } from '../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../shared/contracts/ids.ts'
import { type AnyCommandName, commandTopics } from '../../shared/contracts/steps.ts'
import { parseHeaders, sendEvent, sendReply } from '../../shared/messaging/messages.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { buildPurchase } from './purchases.ts'
import { agreed } from './replies.ts'
import { quietTemporal } from './temporal.ts'
import { createTestNamespace } from './temporal-namespace.ts'
import { createTestTopics } from './topics.ts'

export const maxUnfinishedSagas = 3
export const replyWaitMs = 2_000

/** What a participant does with a command; `silent`: it does not answer. */
export type Participant = (
  command: AnyCommandName,
  purchaseId: string,
) => Promise<AnyReply | 'silent'>

export const agreeable: Participant = async (command) => agreed[command]

export function refusing(refused: AnyCommandName, reason: RejectionReason): Participant {
  return async (command, purchaseId) =>
    command === refused ? { outcome: 'rejected', reason } : agreeable(command, purchaseId)
}

/** An orchestrator with few places for sagas and without a purchase service, and the participants that it asks. */
export async function startLoneOrchestrator() {
  await using starting = new AsyncDisposableStack()
  const asked: { name: AnyCommandName; purchaseId: string }[] = []
  const participants = new Map<string, Participant>()
  quietTemporal()
  const temporal = starting.adopt(await createTestNamespace(), (it) => it.close())
  const topics = starting.adopt(await createTestTopics(), (it) => it.close())
  const results = await topics.read('purchase-results')
  const deadLetters = await topics.read('dead-letters')
  const kafka = starting.adopt(await topics.connect('participants'), (it) => it.close())
  await kafka.consume({
    group: 'participants',
    topics: commandTopics,
    async handle(message) {
      const headers = parseHeaders(message)
      const { command: name, purchase_id: purchaseId } = headers
      asked.push({ name, purchaseId })
      const answer = await (participants.get(purchaseId) ?? agreeable)(name, purchaseId)
      if (answer !== 'silent') await sendReply(kafka.publish, headers, answer)
    },
  })
  const config = {
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: 0,
    GRPC_PORT: 0,
    GRPC_ADDRESS: '127.0.0.1:1',
    OPERATOR_TOKENS: {},
    OPERATOR_SESSION_KEYS: [] as string[],
    TEMPORAL_UI_URL: 'http://temporal.example',
    TEMPORAL_METRICS_ADDRESS: '',
    CONSOLE_STREAMS_MAX: 4,
    SAGA_OVERDUE_MS: 300_000,
    LOG_LEVEL: 'silent',
    MAX_IN_FLIGHT: 256,
    CORS_ORIGINS: [] as string[],
    DRAIN_NOTICE_MS: 0,
    APP_ENV: 'local',
    MAX_UNFINISHED_SAGAS: maxUnfinishedSagas,
    // Longer than any test holds a step.
    STEP_TIMEOUT_MS: 10_000,
    STEP_ATTEMPTS: 5,
    UNDO_PAUSE_MS: 30_000,
    MAX_CACHED_WORKFLOWS: 500,
    REPLY_WAIT_MS: replyWaitMs,
    ...temporal.config,
    ...topics.config,
  } as const
  const orchestrator = starting.adopt(
    await start(config, createLogger('orchestrator', 'silent')),
    (it) => it.close(),
  )

  const accept = (purchase: PurchaseAccepted) =>
    sendEvent(kafka.publish, 'purchaseAccepted', purchase)

  function asksFor(purchaseId: string): AnyCommandName[] {
    return asked.filter((ask) => ask.purchaseId === purchaseId).map(({ name }) => name)
  }

  /** A step that is slow here is asked for again; that is no other step. */
  function stepsOf(purchaseId: string): AnyCommandName[] {
    return [...new Set(asksFor(purchaseId))]
  }

  function endsOf(purchaseId: string): PurchaseEnded[] {
    return results
      .filter(({ key, headers }) => key === purchaseId && headers.event === 'purchaseEnded')
      .map(({ value }) => JSON.parse(value))
  }

  function endOf(purchaseId: string): Promise<PurchaseEnded> {
    return waitFor('the end of the purchase', () => endsOf(purchaseId)[0])
  }

  function workflowOf(purchaseId: string) {
    return temporal.client.workflow.getHandle(purchaseWorkflowId(purchaseId)).describe()
  }

  /** The activities that the server knows, in order; a step whose reply came in time leaves a marker only. */
  async function activitiesOf(purchaseId: string): Promise<string[]> {
    const handle = temporal.client.workflow.getHandle(purchaseWorkflowId(purchaseId))
    const { events } = await handle.fetchHistory()
    return (events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityId ?? [],
    )
  }

  /** The sum of a metric's values, of those with `label` only. */
  async function metric(name: string, label = ''): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${orchestrator.port}/metrics`)
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith(`${name}{`))
    const wanted = lines.filter((line) => line.includes(label))
    return wanted.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** Waits until the orchestrator is done with every event that it was sent. */
  function eventsHandled(): Promise<boolean> {
    const ended = (outcome: string) =>
      metric('kafka_messages_total', `topic="purchases",outcome="${outcome}"`)
    return waitFor('every event to be handled', async () => {
      const [handled, deadLettered] = await Promise.all(['handled', 'dead_lettered'].map(ended))
      return Number(handled) + Number(deadLettered) >= (await topics.count('purchases'))
    })
  }

  /** The end is announced a moment before the workflow has ended. */
  async function over(purchaseId: string): Promise<PurchaseEnded> {
    const ended = await endOf(purchaseId)
    await waitFor('the workflow to end', async () => {
      return (await workflowOf(purchaseId)).status.name === 'COMPLETED'
    })
    return ended
  }

  async function buy(participant: Participant = agreeable) {
    const purchase = buildPurchase()
    participants.set(purchase.purchase_id, participant)
    await accept(purchase)
    return { purchase, id: purchase.purchase_id, ended: await over(purchase.purchase_id) }
  }

  const running = starting.move()
  return {
    port: orchestrator.port,
    publish: kafka.publish,
    /** What each participant does of a purchase; without an entry it agrees. */
    participants,
    deadLetters,
    accept,
    buy,
    over,
    asksFor,
    stepsOf,
    endsOf,
    endOf,
    workflowOf,
    activitiesOf,
    metric,
    eventsHandled,
    close: () => running.disposeAsync(),
  }
}

export type LoneOrchestrator = Awaited<ReturnType<typeof startLoneOrchestrator>>

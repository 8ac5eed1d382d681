import assert from 'node:assert/strict'
import { pino } from 'pino'
import { type AnyReply, commands } from '../../shared/contracts/commands.ts'
import { commandId, newId, purchaseWorkflowId, traceparent } from '../../shared/contracts/ids.ts'
import { type CommandName, type DoName, undoOf } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase } from '../helpers/database.ts'
import { startTestProvider } from '../helpers/provider.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestTopics } from '../helpers/topics.ts'
import { pairs } from './pairs.ts'

/** How many messages a participant handles at once. */
export const concurrency = 4

/** What a test may say differently of a command. */
export type Wording = { key?: string; headers?: Record<string, string>; value?: string }

type Purchase = { id: string; body: object }

export function buildCommand(
  name: CommandName,
  purchaseId: string,
  body: object,
  wording: Wording = {},
) {
  const { step } = commands[name]
  const headers = {
    command: name,
    command_id: commandId(purchaseId, step),
    purchase_id: purchaseId,
    workflow_id: purchaseWorkflowId(purchaseId),
    run_id: newId(),
    activity_id: step,
    traceparent: traceparent(purchaseId),
    ...wording.headers,
  }
  return {
    key: wording.key ?? purchaseId,
    headers,
    value: wording.value ?? JSON.stringify(body),
  }
}

export function outcomes(replies: AnyReply[]): string[] {
  return replies.map(({ outcome }) => outcome)
}

/** The service that does and undoes a step, with its messages and a database that can be cut off. */
export async function startParticipant(theDo: DoName) {
  const pair = { do: theDo, undo: undoOf[theDo], ...pairs[theDo] }
  const { topic } = commands[pair.do]
  await using opening = new AsyncDisposableStack()
  const log: string[] = []
  /** The places of commands that were left without a reply, and those of all that were sent, by run id. */
  const abandoned = new Set<string>()
  const sent = new Map<string, { place: string; again: () => Promise<void> }>()

  const database = opening.adopt(await createTestDatabase(pair.database), (it) => it.close())
  const url = new URL(database.url)
  const proxy = opening.adopt(
    await createTcpProxy({ host: url.hostname, port: Number(url.port) }),
    (it) => it.close(),
  )
  url.port = String(proxy.port)
  const topics = opening.adopt(await createTestTopics(), (it) => it.close())
  // Two connections: what goes over one has no order with what goes over the other.
  const senders = { one: await topics.connectProducer(), other: await topics.connectProducer() }
  const replies = await topics.read('replies')
  const deadLetters = await topics.read('dead-letters')

  const connections = {
    ...topics.config,
    CONSUMER_CONCURRENCY: concurrency,
    DATABASE_URL: url.href,
    DATABASE_POOL_SIZE: 10,
  }
  function write(line: string): void {
    log.push(line)
    const { msg, topic: from, partition, offset } = JSON.parse(line)
    const isAbandoned = msg === 'message abandoned without a reply' && from === topic
    if (isAbandoned) abandoned.add(`${partition}/${offset}`)
  }
  const logger = pino({ level: 'warn' }, { write })
  const provider = opening.adopt(await startTestProvider(), (it) => it.close())
  const startService = () => pair.start(connections, logger, provider)
  let service = await startService()
  opening.defer(() => service.close())

  function repliesTo(runId: string): AnyReply[] {
    return replies
      .filter(({ headers }) => headers.run_id === runId)
      .map(({ value }) => JSON.parse(value))
  }

  /** Sends a command as its saga would, and answers with the run id that its reply carries. */
  async function send(
    name: CommandName,
    purchaseId: string,
    body: object = {},
    { sender = senders.one, ...wording }: Wording & { sender?: typeof senders.one } = {},
  ): Promise<string> {
    const command = buildCommand(name, purchaseId, body, wording)
    const { run_id } = command.headers
    async function again(): Promise<void> {
      const { partition, offset } = await sender(topic, command)
      sent.set(run_id, { place: `${partition}/${offset}`, again })
    }
    await again()
    return run_id
  }

  /** A command that is left without a reply, as when a machine is too busy, is sent again, as its saga would. */
  function replyTo(runId: string): Promise<AnyReply> {
    return waitFor(`the reply of ${topic}`, async () => {
      const command = sent.get(runId)
      if (command && abandoned.delete(command.place)) await command.again()
      return repliesTo(runId)[0]
    })
  }

  const effectOf = ({ id, body }: Purchase) => pair.effect(database, id, body, provider)

  const opened = opening.move()
  return {
    database,
    proxy,
    senders,
    log,
    replies,
    deadLetters,
    repliesTo,
    send,
    replyTo,
    ask: async (...args: Parameters<typeof send>) => replyTo(await send(...args)),
    buildPurchase: async (): Promise<Purchase> => ({
      id: newId(),
      body: await pair.setUp(database),
    }),
    async assertDone(purchase: Purchase) {
      const effect = await effectOf(purchase)
      assert.ok(effect.length > 0 && effect.every((n) => n === 1), `done once: ${effect}`)
    },
    async assertNotDone(purchase: Purchase) {
      const effect = await effectOf(purchase)
      assert.ok(effect.length > 0 && effect.every((n) => n === 0), `not done: ${effect}`)
    },
    /** The service as it runs now. */
    running: () => service,
    async restart(): Promise<void> {
      service = await startService()
    },
    close: () => opened.disposeAsync(),
  }
}

export type Participant = Awaited<ReturnType<typeof startParticipant>>

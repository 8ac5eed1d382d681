import { setTimeout as sleep } from 'node:timers/promises'
import { deadLetterHeaders } from '../contracts/dead-letters.ts'
import type { Topic } from '../contracts/topics.ts'
import { isDeterministic, isOutage } from '../database/failures.ts'
import type { ConsumeOptions, Message } from '../messaging/bus.ts'
import { NoReplyError, PoisonError } from '../messaging/poison.ts'
import { inMessageSpan } from '../messaging/traces.ts'
import { AppError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { createPublisher } from './publisher.ts'
import type { StoredRawMessage } from './raw-messages.ts'

const firstRetryMs = 100
const lastRetryMs = 5_000
/** How many deterministic errors in a row make their message poison. */
const deterministicAttempts = 5
/** The same for errors that may or may not recur: they get 20 s to disappear. */
const unknownAttempts = 10
/** How often the answer to a poisoned message is tried when that fails for another reason than an outage. */
const answerAttempts = 5
const maxErrorCharacters = 1_000

/** A message as kafkajs gives it; `unreadable` stands in the place of a batch that could not be read. */
export type ReceivedMessage = StoredRawMessage & { unreadable?: Error }

type Deps = {
  logger: Logger
  metrics: Metrics
  publish: ReturnType<typeof createPublisher>
  /** Aborted when the process stops: what is not done then stays uncommitted. */
  stopping: AbortSignal
}

/** Errors of one message in a row. An outage is not the fault of the message, so it resets the count. */
function createVerdict() {
  let deterministic = 0
  let inDoubt = 0
  return {
    isPoison(error: Error): boolean {
      if (error instanceof PoisonError) return true
      const outage = isOutage(error)
      inDoubt = outage ? 0 : inDoubt + 1
      deterministic = !outage && isDeterministic(error) ? deterministic + 1 : 0
      return deterministic >= deterministicAttempts || inDoubt >= unknownAttempts
    },
  }
}

/** Tries messages of one group until each is handled, abandoned or a dead letter. */
export function createAttempts(
  { group, handle, onPoison }: Pick<ConsumeOptions, 'group' | 'handle' | 'onPoison'>,
  { logger, metrics, publish, stopping }: Deps,
) {
  async function bury(message: Message, raw: ReceivedMessage, error: Error): Promise<void> {
    const about = {
      [deadLetterHeaders.error]: `${error.name}: ${error.message}`.slice(0, maxErrorCharacters),
      [deadLetterHeaders.group]: group,
      [deadLetterHeaders.topic]: message.topic,
      [deadLetterHeaders.partition]: String(message.partition),
      [deadLetterHeaders.offset]: message.offset,
      [deadLetterHeaders.time]: new Date().toISOString(),
    }
    const { key, value } = raw
    try {
      await publish('dead-letters', { key, value, headers: { ...raw.headers, ...about } })
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.kind !== 'too_large') throw thrown
      const headers = { ...about, [deadLetterHeaders.cut]: String(value?.length ?? 0) }
      await publish('dead-letters', { key: null, value: null, headers })
    }
    logger.error({ err: error, ...position(message) }, 'message dead-lettered')
    metrics.messages.inc({ topic: message.topic, outcome: 'dead_lettered' })
  }

  /** Answers a poisoned message, then makes it a dead letter; false when that has to be tried again. */
  function createBurial(message: Message, raw: ReceivedMessage) {
    let refusals = 0
    return async (error: Error): Promise<boolean> => {
      try {
        await onPoison?.(message, error)
      } catch (err) {
        refusals = isOutage(err) ? 0 : refusals + 1
        if (refusals < answerAttempts) return false
        logger.error({ err, ...position(message) }, 'poison message not answered')
      }
      return bury(message, raw, error).then(
        () => true,
        () => false,
      )
    }
  }

  async function tryOnce(message: Message, raw: ReceivedMessage): Promise<Error | undefined> {
    if (raw.unreadable) return new PoisonError(`a batch of records: ${raw.unreadable.message}`)
    try {
      await inMessageSpan(message, group, () => handle(message))
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown))
    }
    return undefined
  }

  return {
    /** Ends when the message is done; false when the process stops first, so that it stays uncommitted. */
    async finish(message: Message, raw: ReceivedMessage): Promise<boolean> {
      const verdict = createVerdict()
      const buried = createBurial(message, raw)
      using timing = new DisposableStack()
      timing.defer(metrics.messageSeconds.startTimer({ topic: message.topic }))
      for (let attempt = 1; ; attempt++) {
        const error = await tryOnce(message, raw)
        if (!error) {
          metrics.messages.inc({ topic: message.topic, outcome: 'handled' })
          return true
        }
        if (error instanceof NoReplyError) {
          logger.warn({ err: error, ...position(message) }, 'message abandoned without a reply')
          metrics.messages.inc({ topic: message.topic, outcome: 'no_reply' })
          return true
        }
        if (verdict.isPoison(error) && (await buried(error))) return true
        logger.warn({ err: error, attempt, ...position(message) }, 'message will be tried again')
        metrics.messages.inc({ topic: message.topic, outcome: 'retried' })
        const delay = Math.min(firstRetryMs * 2 ** (attempt - 1), lastRetryMs)
        await sleep(delay, undefined, { signal: stopping }).catch(() => undefined)
        if (stopping.aborted) return false
      }
    },
  }
}

/** A message in words of the bus; a header that comes more than once has its first value. */
export function readMessage(topic: Topic, partition: number, raw: ReceivedMessage): Message {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(raw.headers ?? {})) {
    if (value !== undefined) headers[name] = String(Array.isArray(value) ? value[0] : value)
  }
  return {
    topic,
    partition,
    offset: raw.offset,
    key: raw.key?.toString() ?? '',
    headers,
    value: raw.unreadable ? '' : (raw.value?.toString() ?? ''),
    timestamp: Number(raw.timestamp),
  }
}

function position({ topic, partition, offset, headers }: Message) {
  const { purchase_id, command_id } = headers
  return { topic, partition, offset, purchase_id, command_id }
}

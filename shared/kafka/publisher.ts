import type { Message as KafkaMessage, Producer } from 'kafkajs'
import { maxMessageBytes, type Topic } from '../contracts/topics.ts'
import type { Outgoing } from '../messaging/bus.ts'
import { withTrace } from '../messaging/traces.ts'
import { AppError } from '../runtime/errors.ts'
import type { RawMessage } from './raw-messages.ts'

type Pending = {
  topic: Topic
  message: Outgoing | RawMessage
  bytes: number
  /** Its caller has had an answer, so it must not be sent any more. */
  settled: boolean
  resolve: () => void
  reject: (error: unknown) => void
}

const maxRequestMessages = 500
/**
 * All of a request may lie in one partition, where it is one batch, and a broker takes as much of a batch as of a
 * message. A message that is larger alone goes alone.
 */
const maxRequestBytes = 900_000
const maxQueuedMessages = 10_000
const maxQueuedBytes = 64 * 1_048_576
const defaultDeadlineMs = 10_000
/** What the format of the log adds to a message and to its batch, at most. */
const framingBytes = 128
const headerFramingBytes = 10

/**
 * Publishes with acks = all. One request is in flight at a time, and the next takes all that gathered meanwhile, within
 * bounds of number and bytes: order is kept and a burst costs few requests, without waiting when there is no burst.
 *
 * A request that the broker refuses for its size is sent again in halves, so that a message fails for its own size
 * only; what the broker had taken of it comes twice. `publish` rejects with AppError('too_large') for a message that
 * no request has room for, and with AppError('unavailable') past `deadlineMs` or when too much is queued; the message
 * may then still have reached Kafka. Consumers have to tolerate both.
 */
export function createPublisher(producer: Pick<Producer, 'sendBatch'>, prefix: string) {
  let queue: Pending[] = []
  let queuedBytes = 0
  let flushing = false

  function takeBatch(): Pending[] {
    let bytes = 0
    const end = queue.findIndex((pending, index) => {
      bytes += pending.bytes
      return index > 0 && (index >= maxRequestMessages || bytes > maxRequestBytes)
    })
    const batch = end < 0 ? queue : queue.slice(0, end)
    queue = end < 0 ? [] : queue.slice(end)
    return batch
  }

  async function send(all: Pending[]): Promise<void> {
    const batch = all.filter(({ settled }) => !settled)
    if (batch.length === 0) return
    const byTopic = Map.groupBy(batch, ({ topic }) => topic)
    const topicMessages = [...byTopic].map(([topic, pendings]) => ({
      topic: prefix + topic,
      messages: pendings.map(({ message }) => message as KafkaMessage),
    }))
    try {
      await producer.sendBatch({ acks: -1, topicMessages })
      for (const { resolve } of batch) resolve()
    } catch (cause) {
      const tooLarge = saysTooLarge(cause)
      if (tooLarge && batch.length > 1) {
        const middle = Math.ceil(batch.length / 2)
        await send(batch.slice(0, middle))
        await send(batch.slice(middle))
        return
      }
      const error = tooLarge
        ? new AppError('too_large', 'Kafka does not take a message of this size', { cause })
        : new AppError('unavailable', 'Kafka does not take messages', { cause })
      for (const { reject } of batch) reject(error)
    }
  }

  async function flush() {
    flushing = true
    while (queue.length > 0) await send(takeBatch())
    flushing = false
  }

  return function publish(
    topic: Topic,
    untraced: Outgoing | RawMessage,
    deadlineMs = defaultDeadlineMs,
  ): Promise<void> {
    const message = withTrace(untraced)
    return new Promise((resolve, reject) => {
      const bytes = sizeOf(message)
      if (bytes > maxMessageBytes(topic)) {
        const rule = `a message on ${topic} has ${maxMessageBytes(topic)} bytes at most`
        reject(new AppError('too_large', rule))
        return
      }
      if (queue.length >= maxQueuedMessages || queuedBytes + bytes > maxQueuedBytes) {
        reject(new AppError('unavailable', 'too many messages wait for Kafka'))
        return
      }
      const timer = setTimeout(() => {
        queue = queue.filter((other) => other !== pending)
        pending.reject(
          new AppError('unavailable', `Kafka did not take the message in ${deadlineMs} ms`),
        )
      }, deadlineMs)
      const settle = () => {
        if (!pending.settled) queuedBytes -= bytes
        pending.settled = true
        clearTimeout(timer)
      }
      const pending: Pending = {
        topic,
        message,
        bytes,
        settled: false,
        resolve() {
          settle()
          resolve()
        },
        reject(error) {
          settle()
          reject(error)
        },
      }
      queue.push(pending)
      queuedBytes += bytes
      if (!flushing) void flush()
    })
  }
}

function sizeOf({ key, value, headers = {} }: Outgoing | RawMessage): number {
  let bytes = framingBytes + lengthOf(key) + lengthOf(value)
  for (const [name, content] of Object.entries(headers)) {
    for (const one of [content].flat()) {
      bytes += headerFramingBytes + Buffer.byteLength(name) + lengthOf(one)
    }
  }
  return bytes
}

function lengthOf(content: Buffer | string | null | undefined): number {
  return typeof content === 'string' ? Buffer.byteLength(content) : (content?.length ?? 0)
}

/** The broker's names for a batch and for a request that are too large. */
const tooLargeTypes = new Set<unknown>(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

function saysTooLarge(error: unknown): boolean {
  const { type, cause } = error as { type?: unknown; cause?: { type?: unknown } }
  return tooLargeTypes.has(type) || tooLargeTypes.has(cause?.type)
}

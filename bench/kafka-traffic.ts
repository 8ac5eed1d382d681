import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Topic, topics } from '../shared/contracts/topics.ts'
import { connectAdmin } from '../shared/kafka/admin.ts'
import type { RawMessage } from '../shared/kafka/raw-messages.ts'
import { readStretches } from '../shared/kafka/read-topic.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'

/** The end of every partition of every topic: the offset of the next message. */
export type Position = Map<Topic, Map<number, bigint>>

/** The messages between two positions. Bytes are key, value and headers, without framing. */
export type Traffic = {
  messages: number
  bytes: number
  byTopic: Record<string, { messages: number; bytes: number }>
  commands: number
  /** Commands beyond the first with their id. */
  sentAgain: number
}

type Read = { topic: Topic; message: RawMessage }

const readDeadlineMs = 120_000
/** Messages after a purchase's end, such as its e-mail, may wait for a sweep. */
const quietMs = 2_000
const settlePollMs = 250
const settleDeadlineMs = 20_000

/** Adds up messages. A command is recognized by its topic and its id. */
export function trafficOf(reads: Iterable<Read>): Traffic {
  const byTopic: Traffic['byTopic'] = {}
  const commandIds = new Set<string>()
  let commands = 0
  for (const { topic, message } of reads) {
    const sums = byTopic[topic] ?? { messages: 0, bytes: 0 }
    byTopic[topic] = sums
    sums.messages++
    sums.bytes += sizeOf(message)
    if (!topic.endsWith('-commands')) continue
    commands++
    commandIds.add(String(message.headers?.command_id))
  }
  const all = Object.values(byTopic)
  return {
    messages: all.reduce((sum, { messages }) => sum + messages, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    byTopic,
    commands,
    sentAgain: commands - commandIds.size,
  }
}

function sizeOf({ key, value, headers }: Read['message']): number {
  const names = Object.entries(headers ?? {})
  const headerBytes = names.reduce((sum, [name, content]) => {
    return sum + Buffer.byteLength(name) + Buffer.byteLength(String(content))
  }, 0)
  return (key?.length ?? 0) + (value?.length ?? 0) + headerBytes
}

/** Reads the messages of a phase after the phase, so that the reading does not slow it down. */
export async function connectKafkaTraffic(brokers: string[]) {
  const admin = await connectAdmin(brokers)

  /** A broker that missed a heartbeat leads no partition for a moment. */
  const position = () => waitFor('the ends of the topics', readPosition)

  async function readPosition(): Promise<Position> {
    const ends = topics.map(async (topic): Promise<[Topic, Map<number, bigint>]> => {
      const partitions = await admin.ends(topic)
      return [topic, new Map(partitions.map(({ partition, high }) => [partition, high]))]
    })
    return new Map(await Promise.all(ends))
  }

  async function read(from: Position, to: Position): Promise<Read[]> {
    const stretches = [...to].flatMap(([topic, ends]) =>
      [...ends].map(([partition, end]) => {
        return { topic, partition, from: from.get(topic)?.get(partition) ?? 0n, to: end }
      }),
    )
    const reads: Read[] = []
    const reading = { group: 'benchmark', stretches, deadlineMs: readDeadlineMs }
    await readStretches(brokers, reading, ({ topic }, message) => {
      reads.push({ topic: topic as Topic, message })
    })
    return reads
  }

  /** The ends of all partitions, after no message was sent for a while, or after the deadline. */
  async function settled(): Promise<Position> {
    const deadline = Date.now() + settleDeadlineMs
    let last = await position()
    let since = Date.now()
    while (Date.now() - since < quietMs && Date.now() < deadline) {
      await sleep(settlePollMs)
      const now = await position()
      if (!isDeepStrictEqual(now, last)) since = Date.now()
      last = now
    }
    return last
  }

  return {
    position,
    settled,
    between: async (from: Position, to: Position) => trafficOf(await read(from, to)),
    close: () => admin.close(),
  }
}

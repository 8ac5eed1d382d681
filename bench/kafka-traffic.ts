import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { readStretches } from '../scripts/read-topic.ts'
import { waitFor } from '../scripts/wait-for.ts'
import { type Topic, topics } from '../shared/contracts/topics.ts'

/** Where every partition of every topic ends: the offset that the next message gets. */
export type Position = Map<Topic, Map<number, bigint>>

/** What went through Kafka between two positions. Bytes are key, value and headers, before any framing. */
export type Traffic = {
  messages: number
  bytes: number
  byTopic: Record<string, { messages: number; bytes: number }>
  commands: number
  /** Commands beyond the first with their id. */
  sentAgain: number
}

type Read = { topic: Topic; message: Pick<KafkaMessage, 'key' | 'value' | 'headers'> }

const readDeadlineMs = 120_000
/** What follows a purchase's end, such as its mail, may wait for a sweep. */
const quietMs = 2_000
const settlePollMs = 250
const settleDeadlineMs = 20_000

/** Adds up messages. Commands are known by the topic that they travel on and by their id. */
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

export type KafkaTraffic = Awaited<ReturnType<typeof connectKafkaTraffic>>

/** Reads what others have sent, when they are done: while they are at work it costs them nothing. */
export async function connectKafkaTraffic(brokers: string[]) {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()

  /** A broker that had no time to say that it lives leads no partition for a moment. */
  const position = () => waitFor('the ends of the topics', readPosition)

  async function readPosition(): Promise<Position> {
    const ends = topics.map(async (topic): Promise<[Topic, Map<number, bigint>]> => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return [topic, new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]))]
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
    await readStretches({ kafka, admin }, reading, ({ topic }, message) => {
      reads.push({ topic: topic as Topic, message })
    })
    return reads
  }

  /** Where everything ends once nobody has sent anything for a while, or after the deadline all the same. */
  async function settled(): Promise<Position> {
    const giveUp = Date.now() + settleDeadlineMs
    let last = await position()
    let since = Date.now()
    while (Date.now() - since < quietMs && Date.now() < giveUp) {
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
    close: () => admin.disconnect(),
  }
}

import { randomBytes } from 'node:crypto'
import type { Admin, Kafka, KafkaMessage } from 'kafkajs'

/** A part of a partition: the messages from one offset up to, but without, another one. */
export type Stretch = { topic: string; partition: number; from: bigint; to: bigint }

/** All that lies on a topic now. */
export async function wholeTopic(admin: Admin, topic: string): Promise<Stretch[]> {
  const offsets = await admin.fetchTopicOffsets(topic)
  return offsets.map(({ partition, low, high }) => {
    return { topic, partition, from: BigInt(low), to: BigInt(high) }
  })
}

/**
 * Calls `take` with each message of the stretches, once, in the order of its partition. kafkajs reads in groups only:
 * this one never commits, and is deleted. Its name begins with `group`. An empty stretch says from where on its
 * partition need not be read. Throws past `deadlineMs`.
 */
export async function readStretches(
  { kafka, admin }: { kafka: Kafka; admin: Admin },
  { group, stretches, deadlineMs }: { group: string; stretches: Stretch[]; deadlineMs: number },
  take: (stretch: Stretch, message: KafkaMessage) => void,
): Promise<void> {
  const left = new Map<string, Stretch>()
  for (const stretch of stretches) {
    if (stretch.from < stretch.to) left.set(laneOf(stretch), { ...stretch })
  }
  if (left.size === 0) return
  const topics = [...new Set(stretches.map(({ topic }) => topic))]
  const groupId = `${group}-${randomBytes(6).toString('hex')}`
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, allowAutoTopicCreation: false })
  const done = Promise.withResolvers<void>()
  const late = () => done.reject(new Error(`${topics} could not be read in ${deadlineMs} ms`))
  const timer = setTimeout(late, deadlineMs)
  try {
    await consumer.connect()
    await consumer.subscribe({ topics, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      async eachBatch({ batch }) {
        const stretch = left.get(laneOf(batch))
        if (!stretch) return
        for (const message of batch.messages) {
          const offset = BigInt(message.offset)
          // What was fetched before the seek comes again.
          if (offset < stretch.from || offset >= stretch.to) continue
          take(stretch, message)
          stretch.from = offset + 1n
        }
        if (BigInt(batch.lastOffset()) + 1n < stretch.to) return
        left.delete(laneOf(batch))
        if (left.size === 0) done.resolve()
      },
    })
    for (const { topic, partition, from } of stretches) {
      consumer.seek({ topic, partition, offset: String(from) })
    }
    await done.promise
  } finally {
    clearTimeout(timer)
    await consumer.disconnect()
    await admin.deleteGroups([groupId]).catch(() => undefined)
  }
}

function laneOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`
}

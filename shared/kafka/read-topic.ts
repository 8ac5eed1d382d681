import { randomBytes } from 'node:crypto'
import { connectAdmin, type KafkaAdmin } from './admin.ts'
import type { StoredRawMessage } from './raw-messages.ts'
import { openTool } from './tool.ts'

/** A part of a partition: the messages from one offset up to, but without, another one. */
export type Stretch = { topic: string; partition: number; from: bigint; to: bigint }

/** All that lies on a topic now. */
export async function wholeTopic(admin: KafkaAdmin, topic: string): Promise<Stretch[]> {
  const ends = await admin.ends(topic)
  return ends.map(({ partition, low, high }) => ({ topic, partition, from: low, to: high }))
}

/**
 * Calls `take` with each message of the stretches, once, in the order of its partition. kafkajs reads in groups only:
 * this one never commits, and is deleted. Its name begins with `group`. An empty stretch says from where on its
 * partition need not be read. Throws after `deadlineMs`.
 */
export async function readStretches(
  brokers: string[],
  { group, stretches, deadlineMs }: { group: string; stretches: Stretch[]; deadlineMs: number },
  take: (stretch: Stretch, message: StoredRawMessage) => void,
): Promise<void> {
  const left = new Map<string, Stretch>()
  for (const stretch of stretches) {
    if (stretch.from < stretch.to) left.set(laneOf(stretch), { ...stretch })
  }
  if (left.size === 0) return
  const topics = [...new Set(stretches.map(({ topic }) => topic))]
  const consumer = openReader(brokers, group)
  const done = Promise.withResolvers<void>()
  // It may be late before anybody waits, which no process must end by.
  done.promise.catch(() => undefined)
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
    await consumer.close()
  }
}

/** Calls `take` with each message of a topic from its beginning, and with each that comes, until it is closed. */
export async function followTopic(
  brokers: string[],
  { group, topic }: { group: string; topic: string },
  take: (partition: number, message: StoredRawMessage) => void,
): Promise<{ close(): Promise<void> }> {
  const consumer = openReader(brokers, group)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => take(partition, message),
  })
  return { close: consumer.close }
}

/** A consumer in a group of its own; `close` also deletes the group. */
function openReader(brokers: string[], group: string) {
  const groupId = `${group}-${randomBytes(6).toString('hex')}`
  const consumer = openTool(brokers).consumer({
    groupId,
    maxWaitTimeInMs: 100,
    allowAutoTopicCreation: false,
  })
  return {
    ...consumer,
    async close() {
      await consumer.disconnect()
      const admin = await connectAdmin(brokers)
      // A group that the broker has not let go of yet expires by itself.
      await admin.deleteGroup(groupId).catch(() => undefined)
      await admin.close()
    },
  }
}

function laneOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`
}

import { AssignerProtocol, Kafka, logLevel } from 'kafkajs'
import { connectDeadLetters } from '../scripts/dead-letter-store.ts'
import { type Topic, topics } from '../shared/contracts/topics.ts'

/** The messages of a topic that a group has not finished. */
export type Lag = { group: string; topic: string; lag: number }

type Offsets = { low: bigint; high: bigint }

export type KafkaState = Awaited<ReturnType<typeof connectKafkaState>>

/** Reads what consumers have left to do. */
export async function connectKafkaState(brokers: string[]) {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const letters = await connectDeadLetters(brokers)

  async function offsetsOf(topic: Topic): Promise<Map<number, Offsets>> {
    const offsets = await admin.fetchTopicOffsets(topic)
    return new Map(
      offsets.map(({ partition, low, high }) => [
        partition,
        { low: BigInt(low), high: BigInt(high) },
      ]),
    )
  }

  /** What the members of each group subscribe to: a group that never committed has its lag all the same. */
  async function subscriptions(groups: string[]): Promise<Map<string, Set<string>>> {
    const described = await admin.describeGroups(groups)
    return new Map(
      described.groups.map(({ groupId, members }) => {
        const subscribed = members.flatMap(
          ({ memberMetadata }) =>
            AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? [],
        )
        return [groupId, new Set(subscribed)]
      }),
    )
  }

  return {
    /** One entry per group and topic that it reads. Every group reads from the beginning. */
    async lags(): Promise<Lag[]> {
      const { groups } = await admin.listGroups()
      const ids = groups.map(({ groupId }) => groupId)
      const ends = new Map(
        await Promise.all(topics.map(async (topic) => [topic, await offsetsOf(topic)] as const)),
      )
      const subscribed = await subscriptions(ids)
      const lags = await Promise.all(
        ids.map(async (group) => {
          const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] })
          return committed.flatMap(({ topic, partitions }) => {
            const reads = partitions.some(({ offset }) => BigInt(offset) >= 0n)
            if (!reads && !subscribed.get(group)?.has(topic)) return []
            const lag = partitions.reduce((sum, { partition, offset }) => {
              const { low, high } = ends.get(topic as Topic)?.get(partition) ?? {
                low: 0n,
                high: 0n,
              }
              const done = BigInt(offset) > low ? BigInt(offset) : low
              return sum + (high > done ? high - done : 0n)
            }, 0n)
            return [{ group, topic, lag: Number(lag) }]
          })
        }),
      )
      return lags.flat()
    },

    /** Letters that nobody has replayed or discarded. */
    async countDeadLetters(): Promise<number> {
      return (await letters.list()).length
    },

    async close() {
      await letters.close()
      await admin.disconnect()
    },
  }
}

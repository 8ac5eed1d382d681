import { waitFor } from '../runtime/wait-for.ts'
import { openTool } from './tool.ts'
import { AssignerProtocol, ConfigResourceTypes } from './vendor.ts'

/** How long the broker may take to make or remove topics. */
const changeMs = 25_000

/** Where a partition begins and ends: `high` is the offset that its next message gets. */
export type PartitionEnds = { partition: number; low: bigint; high: bigint }

/** The number of messages of a topic that a group has not finished. */
export type GroupLag = { group: string; topic: string; lag: number }

export type NewTopic = { name: string; partitions: number; settings?: Record<string, string> }

export type KafkaAdmin = Awaited<ReturnType<typeof connectAdmin>>

/** Asks and changes what a broker knows of topics and groups. Names are full names, with their prefix. */
export async function connectAdmin(brokers: string[], options: { retries?: number } = {}) {
  const admin = openTool(brokers, options).admin()
  await admin.connect()

  async function ends(topic: string): Promise<PartitionEnds[]> {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.map(({ partition, low, high }) => {
      return { partition, low: BigInt(low), high: BigInt(high) }
    })
  }

  async function listGroups(): Promise<string[]> {
    const { groups } = await admin.listGroups()
    return groups.map(({ groupId }) => groupId)
  }

  /** What the members of each group subscribe to. */
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

  /** The ids of the brokers that lead the partitions of each topic, in the order of the partitions. */
  async function leaders(topics: readonly string[]): Promise<Map<string, number[]>> {
    const found = await admin.fetchTopicMetadata({ topics: [...topics] })
    return new Map(
      found.topics.map(({ name, partitions }) => {
        const sorted = [...partitions].sort((a, b) => a.partitionId - b.partitionId)
        return [name, sorted.map(({ leader }) => leader)]
      }),
    )
  }

  return {
    /** Rejects unless the broker answers for its cluster. */
    async probe(): Promise<void> {
      await admin.describeCluster()
    },

    listTopics: (): Promise<string[]> => admin.listTopics(),

    /** Creates topics; one that exists is left as it is. Resolves when the broker knows the leader of each partition. */
    async createTopics(topics: NewTopic[]): Promise<void> {
      await admin.createTopics({
        // kafkajs fails on a topic that the broker does not know yet, and looks at none that exists.
        waitForLeaders: false,
        timeout: changeMs,
        topics: topics.map(({ name, partitions, settings = {} }) => ({
          topic: name,
          numPartitions: partitions,
          configEntries: entriesOf(settings),
        })),
      })
      const names = topics.map(({ name }) => name)
      const areLed = async () => [...(await leaders(names)).values()].flat().every((id) => id >= 0)
      await waitFor('the leaders of the topics', areLed, changeMs)
    },

    leaders,

    deleteTopics: (names: string[]): Promise<void> =>
      admin.deleteTopics({ topics: names, timeout: changeMs }),

    /** Replaces all settings of each topic. */
    async setTopicSettings(settings: Record<string, Record<string, string>>): Promise<void> {
      await admin.alterConfigs({
        validateOnly: false,
        resources: Object.entries(settings).map(([name, values]) => ({
          type: ConfigResourceTypes.TOPIC,
          name,
          configEntries: entriesOf(values),
        })),
      })
    },

    ends,
    listGroups,

    /** The offset at which a group continues, by partition in order; -1 where it has committed nothing. */
    async committed(group: string, topic: string): Promise<number[]> {
      const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
      const offsets = [...(found?.partitions ?? [])].sort((a, b) => a.partition - b.partition)
      return offsets.map(({ offset }) => Number(offset))
    },

    /** The same of every topic on which a group has committed something. */
    async committedOn(group: string, topics: readonly string[]): Promise<Map<string, number[]>> {
      const found = await admin.fetchOffsets({ groupId: group, topics: [...topics] })
      const offsets = found.map(({ topic, partitions }): [string, number[]] => {
        const inOrder = partitions.toSorted((a, b) => a.partition - b.partition)
        return [topic, inOrder.map(({ offset }) => Number(offset))]
      })
      return new Map(offsets.filter(([, each]) => each.some((offset) => offset >= 0)))
    },

    /** Moves a group that has no members, by partition in order; -1 leaves a partition as it is. */
    async commit(group: string, topic: string, offsets: number[]): Promise<void> {
      const partitions = offsets
        .map((offset, partition) => ({ partition, offset: `${offset}` }))
        .filter((_, partition) => (offsets[partition] ?? -1) >= 0)
      if (partitions.length > 0) await admin.setOffsets({ groupId: group, topic, partitions })
    },

    /**
     * One entry for each group and each of the topics that it reads. A group that never committed has its lag all
     * the same: every group reads from the beginning.
     */
    async groupLags(topics: readonly string[]): Promise<GroupLag[]> {
      const groups = await listGroups()
      const endsByTopic = new Map(
        await Promise.all(topics.map(async (topic) => [topic, await ends(topic)] as const)),
      )
      const subscribed = await subscriptions(groups)
      const lags = groups.map(async (group) => {
        const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] })
        return committed.flatMap(({ topic, partitions }): GroupLag[] => {
          const reads = partitions.some(({ offset }) => BigInt(offset) >= 0n)
          if (!reads && !subscribed.get(group)?.has(topic)) return []
          return [{ group, topic, lag: lagOf(endsByTopic.get(topic) ?? [], partitions) }]
        })
      })
      return (await Promise.all(lags)).flat()
    },

    /** Deletes a group that has no members. */
    async deleteGroup(group: string): Promise<void> {
      await admin.deleteGroups([group])
    },

    close: () => admin.disconnect(),
  }
}

function lagOf(ends: PartitionEnds[], committed: { partition: number; offset: string }[]): number {
  const offsets = new Map(committed.map(({ partition, offset }) => [partition, BigInt(offset)]))
  return ends.reduce((sum, { partition, low, high }) => {
    const offset = offsets.get(partition) ?? 0n
    const done = offset > low ? offset : low
    return sum + Number(high > done ? high - done : 0n)
  }, 0)
}

function entriesOf(settings: Record<string, string>): { name: string; value: string }[] {
  return Object.entries(settings).map(([name, value]) => ({ name, value }))
}

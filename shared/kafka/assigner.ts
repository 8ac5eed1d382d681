import type { Cluster, PartitionAssigner } from 'kafkajs'
import { AssignerProtocol, Partitioners } from './vendor.ts'

const name = 'ByInstance'
const version = 0
const partitionOf = Partitioners.DefaultPartitioner()

/**
 * Gives partition p of every topic to member p modulo the number of members, in the order of their instance ids. So
 * a process that joins more than one group under one instance id reads the same keys in all of them, as long as it has
 * its place in each and the topics have the same number of partitions.
 */
export function createAssigner(instanceId: string) {
  let known: Cluster | undefined

  const assigner: PartitionAssigner = ({ cluster }) => {
    known = cluster
    return {
      name,
      version,
      async assign({ members, topics }) {
        const ordered = members
          .map(({ memberId, memberMetadata }) => {
            const userData = AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData
            return { memberId, place: `${userData}/${memberId}` }
          })
          .sort((a, b) => (a.place < b.place ? -1 : 1))
        return ordered.map(({ memberId }, index) => {
          const assignment = Object.fromEntries(
            topics.map((topic) => {
              const partitions = cluster.findTopicPartitionMetadata(topic)
              const all = partitions.map(({ partitionId }) => partitionId)
              return [topic, all.filter((partition) => partition % ordered.length === index)]
            }),
          )
          const userData = Buffer.alloc(0)
          const memberAssignment = AssignerProtocol.MemberAssignment.encode({
            version,
            assignment,
            userData,
          })
          return { memberId, memberAssignment }
        })
      },
      protocol({ topics }) {
        const userData = Buffer.from(instanceId)
        const metadata = AssignerProtocol.MemberMetadata.encode({ version, topics, userData })
        return { name, metadata }
      },
    }
  }

  return {
    assigner,
    /** The partition that messages of a key are on; -1 while the topic is not known. */
    partitionOf(topic: string, key: string): number {
      const partitionMetadata = known?.findTopicPartitionMetadata(topic) ?? []
      if (partitionMetadata.length === 0) return -1
      return partitionOf({ topic, partitionMetadata, message: { key, value: null } })
    },
  }
}

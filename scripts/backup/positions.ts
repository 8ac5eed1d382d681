import { consumerGroups } from '../../shared/contracts/groups.ts'
import { topics } from '../../shared/contracts/topics.ts'
import { connectAdmin, type KafkaAdmin } from '../../shared/kafka/admin.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { Position } from './manifest.ts'

/** A member that was killed leaves its group when its session is over. */
const emptyDeadlineMs = 30_000

async function withAdmin<T>(brokers: string[], use: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const admin = await connectAdmin(brokers)
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

async function positionsOf(admin: KafkaAdmin): Promise<Position[]> {
  const found = consumerGroups.map(async (group) => {
    const committed = await admin.committedOn(group, topics)
    return [...committed].map(([topic, offsets]) => ({ group, topic, offsets }))
  })
  return (await Promise.all(found)).flat()
}

/** How far each group of the shop has read. */
export const readPositions = (brokers: string[]): Promise<Position[]> =>
  withAdmin(brokers, positionsOf)

/** Moves all groups at once, since each takes seconds, and the topics of one after the other. */
async function moveAll(admin: KafkaAdmin, positions: Position[]): Promise<void> {
  const groups = [...Map.groupBy(positions, ({ group }) => group)]
  const moves = groups.map(async ([name, own]) => {
    for (const { group, topic, offsets } of own) {
      const move = () => admin.commit(group, topic, offsets).then(() => true)
      await waitFor(`${name} to have no members`, move, emptyDeadlineMs)
    }
  })
  await Promise.all(moves)
}

/**
 * Moves every group to the end of what it reads: what was sent after a backup belongs to a time that its databases do
 * not know.
 */
export const skipToEnd = (brokers: string[]): Promise<void> =>
  withAdmin(brokers, async (admin) => {
    const positions = await positionsOf(admin)
    const moved = positions.map(async (position): Promise<Position> => {
      const ends = (await admin.ends(position.topic)).toSorted((a, b) => a.partition - b.partition)
      return { ...position, offsets: ends.map(({ high }) => Number(high)) }
    })
    await moveAll(admin, await Promise.all(moved))
  })

/** Moves every group to where it was. What Kafka does not have any more, or never had, is left out. */
export const moveBack = (brokers: string[], positions: Position[]): Promise<void> =>
  withAdmin(brokers, async (admin) => {
    const possible = positions.map(async (position): Promise<Position> => {
      const ends = new Map((await admin.ends(position.topic)).map((each) => [each.partition, each]))
      const offsets = position.offsets.map((offset, partition) => {
        const { low = 0n, high = 0n } = ends.get(partition) ?? {}
        if (offset < 0 || offset > high) return -1
        return Math.max(offset, Number(low))
      })
      return { ...position, offsets }
    })
    await moveAll(admin, await Promise.all(possible))
  })

import type { Consumer } from 'kafkajs'

/**
 * Knows whether a consumer has its place in its group and which partitions are its own. `onJoin` is called for each
 * new generation of the group.
 *
 * A member that was asked to join again may keep its place without joining: its broker restarts, says that the group
 * changes, and a moment later knows the group as it was. Then a heartbeat that the broker accepts for the same
 * generation is the only sign.
 */
export function watchMembership(
  consumer: Pick<Consumer, 'on' | 'events'>,
  onJoin: () => void,
): { joined(): boolean; reads(topic: string, partition: number): boolean } {
  const { GROUP_JOIN, HEARTBEAT, CRASH, STOP, REBALANCING } = consumer.events
  let assigned: Record<string, number[]> = {}
  let joined = false
  /** Of the assignment; undefined until the first heartbeat. */
  let generation: number | undefined

  consumer.on(GROUP_JOIN, ({ payload }) => {
    onJoin()
    assigned = payload.memberAssignment
    generation = undefined
    joined = true
  })
  consumer.on(HEARTBEAT, ({ payload: { groupGenerationId } }) => {
    generation ??= groupGenerationId
    joined = groupGenerationId === generation
  })
  for (const event of [CRASH, STOP, REBALANCING]) {
    consumer.on(event, () => {
      joined = false
    })
  }

  return {
    joined: () => joined,
    reads: (topic, partition) => joined && Boolean(assigned[topic]?.includes(partition)),
  }
}

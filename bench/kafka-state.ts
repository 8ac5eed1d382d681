import { consumerGroups } from '../shared/contracts/groups.ts'
import { topics } from '../shared/contracts/topics.ts'
import { connectAdmin, type GroupLag } from '../shared/kafka/admin.ts'
import { connectDeadLetters } from '../shared/kafka/dead-letters.ts'

const own = new Set<string>(consumerGroups)

export type KafkaState = Awaited<ReturnType<typeof connectKafkaState>>

/** Reads the lag of consumers. */
export async function connectKafkaState(brokers: string[]) {
  await using starting = new AsyncDisposableStack()
  const admin = starting.adopt(await connectAdmin(brokers), (it) => it.close())
  const deadLetters = starting.adopt(await connectDeadLetters(brokers), (it) => it.close())
  const open = starting.move()

  return {
    /** One entry per group of the shop and topic that it reads. Others, such as a console's, do not count. */
    async lags(): Promise<GroupLag[]> {
      const lags = await admin.groupLags(topics)
      return lags.filter(({ group }) => own.has(group))
    },

    /** Dead letters that nobody has replayed or discarded. */
    countDeadLetters: (): Promise<number> => deadLetters.countOpen(),

    close: () => open.disposeAsync(),
  }
}

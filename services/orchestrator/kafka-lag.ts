import { Gauge, type Registry } from 'prom-client'
import { consumerGroups } from '../../shared/contracts/groups.ts'
import { topics } from '../../shared/contracts/topics.ts'
import { connectAdmin, type KafkaAdmin } from '../../shared/kafka/admin.ts'

/**
 * Shows how many messages each consumer group of the shop has not finished. It asks the broker, so that the lag of a
 * service that is down shows, too. `read` is a sweep; what the broker does not answer is not shown.
 */
export function createKafkaLag({
  config: { KAFKA_BROKERS: brokers, KAFKA_TOPIC_PREFIX: prefix },
  registry,
}: {
  config: { KAFKA_BROKERS: string[]; KAFKA_TOPIC_PREFIX: string }
  registry: Registry
}) {
  const lag = new Gauge({
    name: 'kafka_consumer_lag',
    help: 'Messages of a topic that a consumer group has not finished, in all replicas',
    labelNames: ['group', 'topic'],
    registers: [registry],
  })
  const groups = new Set(consumerGroups.map((group) => prefix + group))
  const read = topics.map((topic) => prefix + topic)
  let connecting: Promise<KafkaAdmin> | undefined

  async function disconnect(): Promise<void> {
    const admin = await connecting?.catch(() => undefined)
    connecting = undefined
    await admin?.close()
  }

  return {
    async read(): Promise<void> {
      connecting ??= connectAdmin(brokers, { retries: 2 })
      try {
        const found = await (await connecting).groupLags(read)
        lag.reset()
        for (const { group, topic, lag: count } of found) {
          if (!groups.has(group)) continue
          const labels = { group: group.slice(prefix.length), topic: topic.slice(prefix.length) }
          lag.set(labels, count)
        }
      } catch (error) {
        lag.reset()
        await disconnect()
        throw error
      }
    },
    close: disconnect,
  }
}

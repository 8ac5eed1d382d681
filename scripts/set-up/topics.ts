import kafkajs, { Kafka, logLevel } from 'kafkajs'
import { kafkaEnv, loadConfig } from '../../shared/config.ts'
import { partitionsPerTopic, topicSettings, topics } from '../../shared/contracts/topics.ts'
import { waitFor } from '../wait-for.ts'

type Admin = ReturnType<Kafka['admin']>

/** Connects an admin client for the time of one use. */
export async function withKafkaAdmin<T>(
  brokers: string[],
  use: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Kafka({
    clientId: 'set-up',
    brokers,
    logLevel: logLevel.NOTHING,
    retry: { retries: 2 },
  }).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

/** Creates the topics that are missing, and gives each its settings, also those from before a setting was made. */
export async function setUpTopics(
  brokers: string[],
  partitions: number = partitionsPerTopic,
): Promise<void> {
  await withKafkaAdmin(brokers, async (admin) => {
    const existing = new Set(await admin.listTopics())
    const missing = topics.filter((topic) => !existing.has(topic))
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({ topic, numPartitions: partitions })),
      })
    }
    await admin.alterConfigs({
      validateOnly: false,
      resources: Object.entries(topicSettings).map(([name, settings]) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
      })),
    })
  })
}

if (import.meta.main) {
  const { KAFKA_BROKERS } = loadConfig({ KAFKA_BROKERS: kafkaEnv.KAFKA_BROKERS }, process.env)
  await waitFor('the topics', () => setUpTopics(KAFKA_BROKERS).then(() => true), 60_000)
}

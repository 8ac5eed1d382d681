import { partitionsPerTopic, topicSettings, topics } from '../../../shared/contracts/topics.ts'
import { connectAdmin } from '../../../shared/kafka/admin.ts'
import { kafkaEnv } from '../../../shared/kafka/config.ts'
import { loadConfig } from '../../../shared/runtime/config.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'

/** Creates the topics that are missing, and gives each its settings, also those from before a setting was made. */
export async function setUpTopics(
  brokers: string[],
  partitions: number = partitionsPerTopic,
): Promise<void> {
  await using open = new AsyncDisposableStack()
  const admin = open.adopt(await connectAdmin(brokers, { retries: 2 }), (it) => it.close())
  const existing = new Set(await admin.listTopics())
  const missing = topics.filter((topic) => !existing.has(topic))
  if (missing.length > 0) {
    await admin.createTopics(missing.map((name) => ({ name, partitions })))
  }
  await admin.setTopicSettings(topicSettings)
}

if (import.meta.main) {
  const { KAFKA_BROKERS } = loadConfig({ KAFKA_BROKERS: kafkaEnv.KAFKA_BROKERS }, process.env)
  await waitFor('the topics', () => setUpTopics(KAFKA_BROKERS).then(() => true), 60_000)
}

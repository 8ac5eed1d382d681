import { env, kafkaEnv, loadConfig, processEnv } from '../../shared/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  CONSUMER_CONCURRENCY: env.count.default(100),
  TEMPORAL_ADDRESS: env.text,
  TEMPORAL_NAMESPACE: env.text,
  /** A burst above this waits in Kafka, so that a step under way is answered soon also on a busy machine. */
  MAX_UNFINISHED_SAGAS: env.count.default(48),
  STEP_TIMEOUT_MS: env.durationMs.default(10_000),
  STEP_ATTEMPTS: env.count.default(3),
  /** How long a step first waits for its reply in the process that asks; 0 turns that off. */
  REPLY_WAIT_MS: env.durationOrZeroMs.default(5_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

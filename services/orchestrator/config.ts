import { env, kafkaEnv, loadConfig, processEnv } from '../../shared/config.ts'
import { operatorEnv } from '../../shared/operators.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...operatorEnv,
  GRPC_PORT: env.port,
  GRPC_ADDRESS: env.text,
  CONSUMER_CONCURRENCY: env.count.default(100),
  TEMPORAL_ADDRESS: env.text,
  TEMPORAL_NAMESPACE: env.text,
  /** A burst above this waits in Kafka, so that a step under way is answered soon also on a busy machine. */
  MAX_UNFINISHED_SAGAS: env.count.default(48),
  STEP_TIMEOUT_MS: env.durationMs.default(10_000),
  STEP_ATTEMPTS: env.count.default(3),
  /** A saga that runs for longer is shown to an operator. */
  SAGA_OVERDUE_MS: env.durationMs.default(300_000),
  /** Between attempts of an undo that is stuck. */
  UNDO_PAUSE_MS: env.durationMs.default(30_000),
  /** Workflows that the worker keeps in memory; the others are replayed when they go on. */
  MAX_CACHED_WORKFLOWS: env.count.default(500),
  /** How long a step first waits for its reply in the process that asks; 0 turns that off. */
  REPLY_WAIT_MS: env.durationOrZeroMs.default(5_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

import { grpcEnv } from '../../shared/grpc/config.ts'
import { operatorEnv } from '../../shared/http/operators.ts'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { env, loadConfig, processEnv } from '../../shared/runtime/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...operatorEnv,
  ...grpcEnv,
  GRPC_ADDRESS: env.text,
  CONSUMER_CONCURRENCY: env.count.default(100),
  TEMPORAL_ADDRESS: env.text,
  TEMPORAL_NAMESPACE: env.text,
  /** Where the process serves the metrics of the Temporal SDK, as `host:port`; empty: nowhere. */
  TEMPORAL_METRICS_ADDRESS: env.address.default(''),
  /** Where operators open the Temporal Web UI; the console links to it. */
  TEMPORAL_UI_URL: env.text.default('http://localhost:8233'),
  /** Live views that operators may have open at once in this replica. */
  CONSOLE_STREAMS_MAX: env.count.default(100),
  /** A burst above this waits in Kafka, so that a step in progress is answered soon also on a busy machine. */
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

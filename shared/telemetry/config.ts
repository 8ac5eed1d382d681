import { z } from 'zod'
import { env, loadConfig } from '../runtime/config.ts'

const variables = {
  /** Where spans go, by OTLP over HTTP; empty: there are none. */
  OTEL_EXPORTER_OTLP_ENDPOINT: env.url.or(z.literal('')).default(''),
  /** Of the requests that come without a trace: the share that begins one, which is kept. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(0.1),
}

export type TelemetryConfig = ReturnType<typeof readTelemetryConfig>

/** Throws ConfigError, which names the variable. */
export function readTelemetryConfig() {
  return loadConfig(variables, process.env)
}

import { createRequire } from 'node:module'
import { basename, dirname } from 'node:path'
import { installTracing } from '../runtime/tracing.ts'
import { readTelemetryConfig } from './config.ts'

/*
 * The first import of a process: what follows is instrumented while it is loaded, so this happens at once and not in a
 * promise. Without an endpoint nothing of OpenTelemetry is loaded.
 */
const config = readTelemetryConfig()
if (config.OTEL_EXPORTER_OTLP_ENDPOINT) {
  const require = createRequire(import.meta.url)
  const { startTracing } = require('./sdk.ts') as typeof import('./sdk.ts')
  installTracing(startTracing(basename(dirname(process.argv[1] ?? '')), config))
}

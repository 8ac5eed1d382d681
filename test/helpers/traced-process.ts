import '../../shared/telemetry/start.ts'

import { createRequire } from 'node:module'
import { createLogger } from '../../shared/runtime/logger.ts'
import { tracing } from '../../shared/runtime/tracing.ts'

/*
 * A process as the services are: it loads one of them, works in a span of the trace that TRACEPARENT has begun and
 * outside, and says whether OpenTelemetry was loaded.
 */
await import('../../services/purchase/main.ts')
const logger = createLogger('traced', 'info')
const work = async () => {
  logger.info('inside')
  throw new TypeError('no such thing')
}
const options = { parent: process.env.TRACEPARENT, attributes: { purchase_id: 'p1' } }
await (tracing()?.span('work', options, work) ?? work()).catch(() => undefined)
logger.info('outside')
const files = Object.keys(createRequire(import.meta.url).cache)
// The API alone is a part of prom-client.
const loaded = files.some((file) => /@opentelemetry\/(?!api\/)/.test(file))
logger.info({ loaded }, 'modules')
await tracing()?.close()

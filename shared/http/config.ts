import type { ProcessConfig } from '../runtime/config.ts'

/** What every service's HTTP side takes from its configuration. */
export function httpSettings(config: ProcessConfig) {
  return {
    host: config.HTTP_HOST,
    port: config.HTTP_PORT,
    maxInFlight: config.MAX_IN_FLIGHT,
    corsOrigins: config.CORS_ORIGINS,
    drainNoticeMs: config.DRAIN_NOTICE_MS,
  }
}

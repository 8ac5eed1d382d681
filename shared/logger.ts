import { type Logger, pino } from 'pino'

export type { Logger }

/** Fields that never reach a log line, wherever a caller puts them (one level deep). */
const secrets = ['password', 'password_hash', 'access_token', 'refresh_token', 'token', 'secret']

/** JSON lines on stdout. Fields first, then a constant lower-case message. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: [
        'req.headers.authorization',
        'req.headers.cookie',
        ...secrets,
        ...secrets.map((field) => `*.${field}`),
      ],
      censor: '[redacted]',
    },
  })
}

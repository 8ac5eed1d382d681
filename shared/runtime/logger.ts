import {
  type Logger,
  pino,
  type SerializedError,
  type SerializedRequest,
  stdSerializers,
} from 'pino'

import { tracing } from './tracing.ts'

export type { Logger }

/** Fields that never reach a log line, wherever a caller puts them (one level deep). */
const secrets = ['password', 'password_hash', 'access_token', 'refresh_token', 'token', 'secret']

/** Headers of a request that say nothing of who sent it. */
const loggedHeaders = ['host', 'user-agent', 'content-type', 'content-length', 'accept']

/**
 * The logged fields of an error. Libraries add others: pg the row that broke a rule (`detail`), nodemailer the
 * recipient, Prisma the query.
 */
const loggedOfErrors = [
  'type',
  'message',
  'stack',
  'code',
  'kind',
  'responseCode',
  'command',
] as const

/** Values that PostgreSQL puts into messages, also as libraries repeat them; addresses; everything after `?`. */
const values: [RegExp, string][] = [
  [/\bKey \(([^)]*)\)=\(.*?\)(?= |$)/gm, 'Key ($1)=([redacted])'],
  [/\bFailing row contains \(.*\)/g, 'Failing row contains ([redacted])'],
  [/(\binvalid input (?:syntax|value) for [^:]+: )".*?"/g, '$1"[redacted]"'],
  [/[\w.!#$%&*+~^-]+@[\w-]+(?:\.[\w-]+)+/g, '[address]'],
  [/(\bhttps?:\/\/[^\s?"']+)\?[^\s"']*/g, '$1?[redacted]'],
]

function withoutValues(text: string): string {
  return values.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text)
}

function describeError(error: SerializedError) {
  const told = loggedOfErrors.flatMap((field) => {
    const value = error[field]
    return value === undefined
      ? []
      : [[field, typeof value === 'string' ? withoutValues(value) : value]]
  })
  return Object.fromEntries(told)
}

/** A request without its query and without headers that may hold a secret. */
function describeRequest({ id, method, url, headers }: SerializedRequest) {
  const told = Object.entries(headers).filter(([name]) => loggedHeaders.includes(name))
  return {
    id,
    method,
    url: url.replace(/\?.*$/s, '?[redacted]'),
    headers: Object.fromEntries(told),
  }
}

/** For pino-http, which applies its own serializers first. */
export const httpSerializers = { err: describeError, req: describeRequest }

/** JSON lines on stdout. Fields first, then a constant lower-case message. */
export function createLogger(service: string, level: string): Logger {
  const traces = tracing()
  return pino({
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    // Of the request or message that the line is about.
    ...(traces && { mixin: () => traces.ids() ?? {} }),
    serializers: { err: (error: Error) => describeError(stdSerializers.err(error)) },
    redact: {
      paths: [...secrets, ...secrets.map((field) => `*.${field}`)],
      censor: '[redacted]',
    },
  })
}

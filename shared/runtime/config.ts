import { z } from 'zod'

const port = z.coerce.number().int().min(0).max(65535)
const count = z.coerce.number().int().positive()
const durationMs = z.coerce.number().int().positive()
const durationOrZeroMs = z.coerce.number().int().min(0)
const list = z
  .string()
  .min(1)
  .transform((text) => text.split(',').map((item) => item.trim()))
  .pipe(z.array(z.string().min(1)))
const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, ctx) => {
      try {
        return JSON.parse(text) as unknown
      } catch {
        ctx.addIssue({ code: 'custom', message: 'must be JSON' })
        return z.NEVER
      }
    })
    .pipe(schema)

/** Building blocks of a service's config schema. Durations are ms and say so in their variable's name. */
export const env = {
  port,
  count,
  durationMs,
  durationOrZeroMs,
  list,
  json,
  text: z.string().min(1),
  url: z.url({ protocol: /^https?$/ }),
  address: z.string().regex(/^[\w.-]+:\d{1,5}$/, 'must be host:port'),
}

/** What every process reads. */
export const processEnv = {
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: port,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  MAX_IN_FLIGHT: count.default(1_024),
  /** Origins whose pages may call the API from a browser. */
  CORS_ORIGINS: list.default([]),
  /** How long a process that was asked to end serves on while it says that it is not ready. */
  DRAIN_NOTICE_MS: durationOrZeroMs.default(1_000),
  APP_ENV: z.enum(['local', 'production']).default('production'),
}

export type ProcessConfig = z.infer<z.ZodObject<typeof processEnv>>

/** Variables that must be empty in production. */
const drillsOnly = ['FAULTS'] as const

/** Thrown at start; the message names each variable and the rule that it breaks. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Parses an environment once, at start; an empty variable counts as not set. Throws ConfigError; never prints a
 * value, it may be a secret.
 */
export function loadConfig<T extends z.ZodRawShape>(
  shape: T,
  environment: Record<string, string | undefined>,
): Readonly<z.infer<z.ZodObject<T>>> {
  const set = Object.entries(environment).filter(([, value]) => value !== '')
  const result = z.object(shape).safeParse(Object.fromEntries(set))
  if (result.success) {
    refuseDrills(result.data)
    return Object.freeze(result.data)
  }
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new ConfigError(`invalid configuration: ${problems.join('; ')}`)
}

function refuseDrills(config: Record<string, unknown>): void {
  if (config.APP_ENV !== 'production') return
  const set = drillsOnly.filter((name) => (config[name] as unknown[] | undefined)?.length)
  if (set.length === 0) return
  throw new ConfigError(`invalid configuration: ${set.join()}: not in production (APP_ENV)`)
}

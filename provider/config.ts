import { z } from 'zod'
import { env, loadConfig } from '../shared/runtime/config.ts'

const variables = {
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: env.port,
  LOG_LEVEL: z.enum(['error', 'warn', 'info', 'debug', 'silent']).default('info'),
  /** One of them every request must show: more than one while a key is replaced. */
  PROVIDER_KEY: env.list,
  /** The file of its ledger. */
  PROVIDER_DATABASE: env.text,
  /** Where it reports events to; without one it reports none. */
  PROVIDER_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** What it signs events with: of more than one the first. */
  PROVIDER_WEBHOOK_SECRET: env.list.transform(([first = '']) => first),
  /** How many calls to give money back fail with the method sim_refund_fails. */
  SIM_REFUND_FAILURES: z.coerce.number().int().min(0).default(1_000_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

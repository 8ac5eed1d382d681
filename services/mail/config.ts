import { z } from 'zod'
import { loadConfig, processEnv } from '../../shared/config.ts'

const variables = { ...processEnv, SMTP_URL: z.url({ protocol: /^smtps?$/ }) }

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

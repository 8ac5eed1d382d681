import { z } from 'zod'
import { kafkaEnv, loadConfig, processEnv } from '../../shared/config.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  SMTP_URL: z.url({ protocol: /^smtps?$/ }),
  /** The sender of every mail; its domain stands in the Message-IDs. */
  MAIL_FROM: z
    .string()
    .regex(
      /^([^<>@\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$/,
      'must be an address, with a name before it or not',
    )
    .default('Shop <no-reply@shop.example>'),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

import { z } from 'zod'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { loadConfig, processEnv } from '../../shared/runtime/config.ts'
import { sealingKeys } from '../../shared/runtime/seal.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  /** The keys of sealed codes, as account has them. */
  CODE_SEALING_KEYS: sealingKeys,
  SMTP_URL: z.url({ protocol: /^smtps?$/ }),
  /** The sender of every e-mail; its domain is part of the Message-IDs. */
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

import { z } from 'zod'
import { signAccessToken, verifyAccessToken } from '../../shared/auth.ts'
import {
  authEnv,
  ConfigError,
  databaseEnv,
  env,
  kafkaEnv,
  loadConfig,
  processEnv,
  redisEnv,
} from '../../shared/config.ts'
import { newId } from '../../shared/ids.ts'
import { rateLimitEnv } from '../../shared/rate-limits.ts'

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...rateLimitEnv('register', 'login', 'code'),
  ...authEnv,
  GRPC_PORT: env.port,
  JWT_SIGNING_KEY: env.json(z.strictObject({ kid: env.text, pem: env.text })),
  ACCESS_TOKEN_TTL_SECONDS: env.count.default(15 * 60),
  REFRESH_TOKEN_TTL_SECONDS: env.count.default(30 * 24 * 60 * 60),
  /** How long a session lives at most, however often its refresh token is exchanged. */
  SESSION_TTL_SECONDS: env.count.default(90 * 24 * 60 * 60),
  /** How long an exchanged refresh token may come once more: two tabs at once, or an answer that was lost. */
  REFRESH_GRACE_SECONDS: z.coerce.number().int().min(0).max(60).default(10),
  VERIFY_CODE_TTL_SECONDS: env.count.default(60 * 60),
  RESET_CODE_TTL_SECONDS: env.count.default(10 * 60),
  /** Who is told of purchases that cannot go on by themselves. */
  OPERATOR_EMAIL: z.email(),
  /** How long sessions that ended and codes that expired are kept, to look into a theft. */
  SESSION_RETENTION_SECONDS: env.count.default(30 * 24 * 60 * 60),
  /** Longer than a purchase's end may be announced again: then its mail would be sent again. */
  OUTBOX_RETENTION_SECONDS: env.count.default(60 * 24 * 60 * 60),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  const config = loadConfig(variables, process.env)
  try {
    const token = signAccessToken(config.JWT_SIGNING_KEY, {
      accountId: newId(),
      sessionId: newId(),
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
      ttlSeconds: 60,
    })
    verifyAccessToken(config, token)
  } catch (cause) {
    const rule = 'must be the private half of the key in JWT_VERIFY_KEYS that has its kid'
    throw new ConfigError(`invalid configuration: JWT_SIGNING_KEY: ${rule}`, { cause })
  }
  return config
}

import { z } from 'zod'
import { signAccessToken, verifyAccessToken } from '../../shared/auth.ts'
import {
  authEnv,
  ConfigError,
  databaseEnv,
  env,
  loadConfig,
  processEnv,
  redisEnv,
} from '../../shared/config.ts'
import { newId } from '../../shared/ids.ts'
import { rateLimitEnv } from '../../shared/rate-limits.ts'

const variables = {
  ...processEnv,
  ...databaseEnv,
  ...redisEnv,
  ...rateLimitEnv('register', 'login'),
  ...authEnv,
  GRPC_PORT: env.port,
  JWT_SIGNING_KEY: env.json(z.strictObject({ kid: env.text, pem: env.text })),
  ACCESS_TOKEN_TTL_SECONDS: env.count.default(15 * 60),
  REFRESH_TOKEN_TTL_SECONDS: env.count.default(30 * 24 * 60 * 60),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  const config = loadConfig(variables, process.env)
  try {
    const claims = { accountId: newId(), issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE }
    const token = signAccessToken(config.JWT_SIGNING_KEY, { ...claims, ttlSeconds: 60 })
    verifyAccessToken(config, token)
  } catch (cause) {
    const rule = 'must be the private half of the key in JWT_VERIFY_KEYS that has its kid'
    throw new ConfigError(`invalid configuration: JWT_SIGNING_KEY: ${rule}`, { cause })
  }
  return config
}

import { z } from 'zod'
import { redisEnv } from '../../shared/cache/config.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { defaultRoles, Role } from '../../shared/contracts/role.ts'
import { databaseEnv } from '../../shared/database/config.ts'
import { grpcEnv } from '../../shared/grpc/config.ts'
import { authEnv, signAccessToken, verifyAccessToken } from '../../shared/http/auth.ts'
import { operatorEnv } from '../../shared/http/operators.ts'
import { rateLimitEnv } from '../../shared/http/rate-limits.ts'
import { kafkaEnv } from '../../shared/kafka/config.ts'
import { ConfigError, env, loadConfig, processEnv } from '../../shared/runtime/config.ts'
import { sealingKeys } from '../../shared/runtime/seal.ts'

const HashKey = z
  .string()
  .refine((key) => Buffer.from(key, 'base64url').length === 32, 'must be 32 bytes in base64url')

const variables = {
  ...processEnv,
  ...kafkaEnv,
  ...databaseEnv,
  ...redisEnv,
  ...rateLimitEnv('register', 'login', 'code'),
  ...authEnv,
  ...grpcEnv,
  ...operatorEnv,
  GRPC_ADDRESS: env.text,
  /** The roles of an account that registers, separated by commas. */
  NEW_ACCOUNT_ROLES: z
    .string()
    .default(defaultRoles.join())
    .transform((words) => words.split(','))
    .pipe(z.array(Role).min(1)),
  /** `hash_key` keeps the hashes of codes the same when the key takes the place of another. */
  JWT_SIGNING_KEY: env.json(
    z.strictObject({ kid: env.text, pem: env.text, hash_key: HashKey.optional() }),
  ),
  ACCESS_TOKEN_TTL_SECONDS: env.count.default(15 * 60),
  REFRESH_TOKEN_TTL_SECONDS: env.count.default(30 * 24 * 60 * 60),
  /** How long a session lives at most, however often its refresh token is exchanged. */
  SESSION_TTL_SECONDS: env.count.default(90 * 24 * 60 * 60),
  /** How long an exchanged refresh token may be used again: by two tabs at once, or after a lost answer. */
  REFRESH_GRACE_SECONDS: z.coerce.number().int().min(0).max(60).default(10),
  /** Codes are sealed with the first; mail opens them with any. */
  CODE_SEALING_KEYS: sealingKeys,
  VERIFY_CODE_TTL_SECONDS: env.count.default(60 * 60),
  RESET_CODE_TTL_SECONDS: env.count.default(10 * 60),
  /** The folder of the built front end; without one there are no pages. */
  WEB_ROOT: z.string().default(''),
  /** The address at which browsers reach the shop: with https its cookies are never sent in plain text. */
  PUBLIC_URL: env.url.default('http://localhost'),
  /** Where the pages' images are. */
  MEDIA_PUBLIC_URL: env.url.default('http://localhost:9000'),
  /** The address for e-mails about purchases that cannot continue without help. */
  OPERATOR_EMAIL: z.email(),
  /** How long sessions that ended and codes that expired are kept, to look into a theft. */
  SESSION_RETENTION_SECONDS: env.count.default(30 * 24 * 60 * 60),
  /** How long after its owner asked for it an account is deleted at the earliest: longer than any request takes. */
  ACCOUNT_DELETION_DELAY_SECONDS: env.count.default(60),
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

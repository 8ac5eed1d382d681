import { z } from 'zod'
import { authEnv, databaseEnv, env, loadConfig, processEnv } from '../../shared/config.ts'

const httpUrl = z.url({ protocol: /^https?$/ })

const variables = {
  ...processEnv,
  ...databaseEnv,
  ...authEnv,
  GRPC_PORT: env.port,
  GRPC_ADDRESS: env.text,
  MINIO_URL: httpUrl,
  MINIO_ACCESS_KEY: env.text,
  MINIO_SECRET_KEY: env.text,
  /** Where clients reach the buckets. */
  MEDIA_PUBLIC_URL: httpUrl.default('http://localhost:9000'),
  MEDIA_MAX_FILES: env.count.default(10),
  MEDIA_MAX_IMAGE_BYTES: env.count.default(10 * 1024 * 1024),
  MEDIA_MAX_IMAGE_PIXELS: env.count.default(40_000_000),
  MEDIA_MAX_VIDEO_BYTES: env.count.default(200 * 1024 * 1024),
  /** At once, in one replica. */
  MEDIA_MAX_UPLOADS: env.count.default(8),
  MEDIA_UPLOAD_DEADLINE_MS: env.durationMs.default(240_000),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

import { databaseEnv } from '../../shared/database/config.ts'
import { grpcEnv } from '../../shared/grpc/config.ts'
import { authEnv } from '../../shared/http/auth.ts'
import { env, loadConfig, processEnv } from '../../shared/runtime/config.ts'

const variables = {
  ...processEnv,
  ...databaseEnv,
  ...authEnv,
  ...grpcEnv,
  GRPC_ADDRESS: env.text,
  MINIO_URL: env.url,
  MINIO_ACCESS_KEY: env.text,
  MINIO_SECRET_KEY: env.text,
  /** Where clients reach the buckets. */
  MEDIA_PUBLIC_URL: env.url.default('http://localhost:9000'),
  MEDIA_MAX_IMAGE_BYTES: env.count.default(10 * 1024 * 1024),
  MEDIA_MAX_IMAGE_PIXELS: env.count.default(40_000_000),
  /** Of decoded images that are in memory at once, in one replica. */
  MEDIA_MAX_DECODED_BYTES: env.count.default(256 * 1024 * 1024),
  MEDIA_MAX_VIDEO_BYTES: env.count.default(200 * 1024 * 1024),
  /** At once, in one replica. */
  MEDIA_MAX_UPLOADS: env.count.default(8),
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

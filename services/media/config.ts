import { z } from 'zod'
import { authEnv, databaseEnv, env, loadConfig, processEnv } from '../../shared/config.ts'

const variables = {
  ...processEnv,
  ...databaseEnv,
  ...authEnv,
  MINIO_URL: z.url({ protocol: /^https?$/ }),
  MINIO_ACCESS_KEY: env.text,
  MINIO_SECRET_KEY: env.text,
}

export type Config = ReturnType<typeof readConfig>

export function readConfig() {
  return loadConfig(variables, process.env)
}

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { probeHttp } from '../probe.ts'
import { setUpBuckets } from '../set-up/buckets.ts'
import { goInstall } from './go.ts'

const version = 'v0.0.0-20260212201848-7aac2a2c5b7c'

export function install(log: Log): Promise<string> {
  return cached(`minio-${version}`, log, (dir) => {
    log('minio is built from source: 2 to 4 minutes, once per machine')
    return goInstall(`github.com/minio/minio@${version}`, dir, log)
  })
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const { minio: port, minioConsole } = stack.ports
  const { accessKey, secretKey } = stack.secrets.minio
  const dir = join(stack.dataDir, 'minio')
  await mkdir(dir, { recursive: true })
  const addresses = [
    '--address',
    `127.0.0.1:${port}`,
    '--console-address',
    `127.0.0.1:${minioConsole}`,
  ]
  return [
    {
      name: 'minio',
      kind: 'engine',
      command: join(await install(log), 'bin', 'minio'),
      args: ['server', ...addresses, dir],
      env: {
        ...baseEnv(),
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_UPDATE: 'off',
        MINIO_CALLHOME_ENABLE: 'off',
      },
      cwd: dir,
      ports: [port, minioConsole],
      probe: () => probeHttp(`${stack.urls.minio}/minio/health/ready`),
    },
  ]
}

export const setUp = ({ urls, secrets }: StackInfo) => setUpBuckets(urls.minio, secrets.minio)

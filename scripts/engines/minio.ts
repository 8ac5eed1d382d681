import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'minio'
import { cached } from '../cache.ts'
import type { Log, ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { probeHttp } from '../probe.ts'
import type { StackInfo } from '../stack-client.ts'
import { waitFor } from '../wait-for.ts'
import { goInstall } from './go.ts'

const version = 'v0.0.0-20260212201848-7aac2a2c5b7c'
const buckets = ['images', 'videos']

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

/** Anyone may fetch an object by its name; nobody may list. */
function publicRead(bucket: string): string {
  const Resource = [`arn:aws:s3:::${bucket}/*`]
  const Statement = [
    { Effect: 'Allow', Principal: { AWS: ['*'] }, Action: ['s3:GetObject'], Resource },
  ]
  return JSON.stringify({ Version: '2012-10-17', Statement })
}

export async function setUp(stack: StackInfo): Promise<void> {
  const { hostname: endPoint, port } = new URL(stack.urls.minio)
  const client = new Client({ endPoint, port: Number(port), useSSL: false, ...stack.secrets.minio })
  for (const bucket of buckets) {
    // Ready comes a moment before the first request is served.
    await waitFor(`the bucket ${bucket}`, async () => {
      if (!(await client.bucketExists(bucket))) await client.makeBucket(bucket)
      await client.setBucketPolicy(bucket, publicRead(bucket))
      return true
    })
  }
}

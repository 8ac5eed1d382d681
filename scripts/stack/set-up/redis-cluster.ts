import { Redis } from 'ioredis'
import { redisEnv } from '../../../shared/cache/config.ts'
import { loadConfig } from '../../../shared/runtime/config.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'

const masters = 3
const slots = 16_384

/** A client of one node, which fails instead of waiting. */
export function connectNode(host: string, port: number): Redis {
  const redis = new Redis(port, host, {
    lazyConnect: true,
    retryStrategy: null,
    connectTimeout: 2000,
    commandTimeout: 10_000,
  })
  return redis.on('error', () => {})
}

/** Forms a cluster of three masters, the other nodes being their replicas, or finishes one that was begun. */
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
    await first.cluster('MEET', String(node.options.host), Number(node.options.port))
  }
  const ids = await Promise.all(nodes.map((node) => node.cluster('MYID')))
  await waitFor('the Redis nodes to meet', async () => {
    const views = await Promise.all(nodes.map(async (node) => String(await node.cluster('NODES'))))
    return views.every((view) => ids.every((id) => view.includes(String(id))))
  })
  for (const [index, replica] of nodes.slice(masters).entries()) {
    const master = String(ids[index % masters])
    await waitFor('the Redis masters', () => replica.cluster('REPLICATE', master))
  }
}

/**
 * Makes one cluster of the nodes, and waits until it works. `nodes` are `address:port` with IP addresses, since nodes
 * know each other by those only.
 */
export async function setUpRedisCluster(addresses: string[]): Promise<void> {
  const nodes = addresses.map((address) => {
    const [host = '', port] = address.split(':')
    return connectNode(host, Number(port))
  })
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

if (import.meta.main) {
  await setUpRedisCluster(loadConfig(redisEnv, process.env).REDIS_NODES)
}

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as undici from 'undici'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { formatTable } from '../../scripts/stack/table.ts'
import type { Context } from './context.ts'
import { runFolder } from './enter.ts'

const purchases = 200
const inFlight = 8
const idleMs = 60_000
const ticksPerSecond = 100

/** CPU seconds of every process of these namespaces, and of those that have ended: the engine and all containers. */
async function cpuSeconds(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const each = pids.map(async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Own time in user and system mode, and the same of ended children.
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  })
  const ticks = (await Promise.all(each)).reduce((sum, one) => sum + one, 0)
  return ticks / ticksPerSecond
}

type Stats = { cpu_stats: { cpu_usage: { total_usage: number } } }

/** `shop-order-db-1` is order-db. */
const serviceOf = (container: string) => container.replace(/^\/?\w+?-(.*)-\d+$/, '$1')

/** CPU seconds of each running container since it started, its health checks included. */
async function containerSeconds(
  { docker }: Context['project'],
  ids: string[],
): Promise<Map<string, number>> {
  // The engine leaves the name out of an answer now and then.
  const lines = (await docker('inspect', '--format', '{{.Id}} {{.Name}}', ...ids)).split('\n')
  const socketPath = join(runFolder, 'docker.sock')
  const dispatcher = new undici.Agent({ connect: { socketPath } })
  const each = lines.map(async (line): Promise<[string, number]> => {
    const [id, name = ''] = line.split(' ')
    const url = `http://engine/containers/${id}/stats?stream=false&one-shot=true`
    const { body } = await undici.request(url, { dispatcher })
    const { cpu_stats } = (await body.json()) as Stats
    return [serviceOf(name), cpu_stats.cpu_usage.total_usage / 1e9]
  })
  try {
    return new Map(await Promise.all(each))
  } finally {
    await dispatcher.close()
  }
}

type Usage = { Name: string; MemUsage: string }

/** Memory of each container, with its share of the file cache in use, in MiB, as the engine tells it. */
async function memory({
  docker,
}: Context['project']): Promise<[name: string, mebibytes: number][]> {
  const lines = (await docker('stats', '--no-stream', '--format', 'json')).split('\n')
  return lines.map((line) => {
    const { Name, MemUsage } = JSON.parse(line) as Usage
    const [, number, unit] = /^([\d.]+)(\w+)/.exec(MemUsage) ?? []
    const factor = { GiB: 1024, MiB: 1, KiB: 1 / 1024, B: 0 }[unit ?? ''] ?? 0
    return [serviceOf(Name), Math.round(Number(number) * factor)]
  })
}

/** Prints what the containers use after some purchases, and how much CPU when nothing is asked of them. */
export async function measure(context: Context): Promise<void> {
  const { project, shop } = context
  if (!context.measure || !shop) return
  const buyers = await Promise.all(
    Array.from({ length: inFlight }, () => registerCustomer('http://localhost')),
  )
  await Promise.all(
    buyers.map(async (buyer) => {
      for (let count = 0; count < purchases / inFlight; count++) {
        const order = { order_items: [{ product_id: shop.productId, quantity: 1 }] }
        const { body } = await buyer.buy(order)
        await buyer.waitForEnd(body.purchase_id)
      }
    }),
  )
  // Measured over a span in which nothing happens, so there is no condition to wait for.
  await sleep(idleMs / 2)
  const ids = await project.containers()
  const [all, each, fromAt] = [
    await cpuSeconds(),
    await containerSeconds(project, ids),
    performance.now(),
  ]
  await sleep(idleMs)
  const seconds = (performance.now() - fromAt) / 1000
  const cores = ((await cpuSeconds()) - all) / seconds
  const later = await containerSeconds(project, ids)
  const idle = (name: string) => ((later.get(name) ?? 0) - (each.get(name) ?? 0)) / seconds
  const used = (await memory(project)).sort()
  const rows = used.map(([name, mebibytes]) => [name, `${mebibytes}`, idle(name).toFixed(3)])
  console.log(formatTable([['container', 'MiB', 'idle, cores'], ...rows]))
  const sum = used.reduce((total, [, mebibytes]) => total + mebibytes, 0)
  const inContainers = used.reduce((total, [name]) => total + idle(name), 0)
  context.log(
    `${sum} MiB in all; idle: ${inContainers.toFixed(2)} cores, ${cores.toFixed(2)} with the engine`,
  )
}

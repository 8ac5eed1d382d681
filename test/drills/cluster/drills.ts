import { brokerName } from '../../../scripts/stack/cluster/kafka.ts'
import { primaryAndStandby, readRoles } from '../../../scripts/stack/cluster/servers.ts'
import { connectNode } from '../../../scripts/stack/set-up/redis-cluster.ts'
import { topics } from '../../../shared/contracts/topics.ts'
import { connectAdmin } from '../../../shared/kafka/admin.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { Drill } from '../drill.ts'
import { buyDuring, readProducts } from '../kills.ts'
import type { Rig } from '../rig.ts'
import { untilRecovered } from './recovery.ts'

/** At a pace that two cores keep up with, so that what a purchase waits for is the fault. */
const pace = { perSecond: 4 }
const followDeadlineMs = 120_000

/** kill -9, and they stay down. */
async function lose(rig: Rig, names: string[]): Promise<Date> {
  const at = new Date()
  await Promise.all(
    names.map(async (name) => {
      await rig.stack.signal(name, 'SIGKILL')
      await rig.stack.stopProcess(name)
    }),
  )
  rig.healed()
  rig.say(`${names.join(', ')}: killed`)
  return at
}

/** Purchases must go on while the process is down, and also when it is back. */
async function loseOne(rig: Rig, name: string, whileDown?: () => Promise<void>): Promise<void> {
  await buyDuring(
    rig,
    async () => {
      const at = await lose(rig, [name])
      await untilRecovered(rig, at)
      await whileDown?.()
      await rig.stack.startProcess(name)
      rig.say(`${name}: started`)
    },
    paced(rig),
  )
}

/** A fifth at once, the rest at a pace. */
const paced = (rig: Rig) => ({ ...pace, purchases: Math.ceil(rig.purchases / 5) })

/** The process of the broker that leads the first partition of most topics. */
async function busiestBroker(rig: Rig): Promise<string> {
  await using open = new AsyncDisposableStack()
  const connecting = connectAdmin(rig.stack.urls.kafkaBrokers)
  const admin = open.adopt(await connecting, (it) => it.close())
  const leaders = [...(await admin.leaders(topics)).values()].map(([first = 1]) => first)
  const [id, led] = [...Map.groupBy(leaders, (leader) => leader)]
    .map(([leader, all]) => [leader, all.length] as const)
    .sort(([, a], [, b]) => b - a)[0] as [number, number]
  rig.say(`${brokerName(id)} leads partition 0 of ${led} of ${topics.length} topics`)
  return brokerName(id)
}

/** What one Redis node knows of the cluster: the role of each node, by its port. */
async function redisRoles(port: number): Promise<Map<number, string>> {
  const node = connectNode('127.0.0.1', port)
  try {
    await node.connect()
    const lines = String(await node.cluster('NODES'))
      .trim()
      .split('\n')
    return new Map(
      lines.map((line) => {
        const [, address = '', flags = ''] = line.split(' ')
        const found = /:(\d+)@/.exec(address)?.[1]
        return [Number(found), flags.replace('myself,', '')]
      }),
    )
  } finally {
    node.disconnect()
  }
}

async function loseRedisMaster(rig: Rig): Promise<void> {
  const ports = rig.stack.urls.redisNodes.map((node) => Number(node.split(':')[1]))
  const roles = await redisRoles(ports[0] ?? 0)
  const masters = ports.filter((port) => roles.get(port) === 'master')
  const lost = rig.random.pick(masters)
  const name = `redis-${ports.indexOf(lost) + 1}`
  const other = ports.find((port) => port !== lost) ?? 0
  const losing = loseOne(rig, name, async () => {
    const now = await redisRoles(other)
    const after = ports.filter((port) => now.get(port) === 'master')
    rig.require(after.length === 3, `${after.length} masters answer, expected 3`)
  })
  await Promise.all([losing, readProducts(rig, losing)])
  await waitFor(`${name} to follow`, async () => {
    return (await redisRoles(other)).get(lost) === 'slave'
  })
}

async function untilSynchronous(rig: Rig): Promise<void> {
  const { dataDir } = rig.stack
  const synchronous = async () => (await readRoles(dataDir)).synchronous
  await waitFor('the standby to have everything', synchronous, followDeadlineMs)
}

async function promoteStandby(rig: Rig): Promise<void> {
  await untilSynchronous(rig)
  await buyDuring(
    rig,
    async () => {
      const { primary, standby } = await primaryAndStandby(rig.stack)
      const at = await lose(rig, [primary.name])
      await rig.stack.promote()
      rig.say(`${standby.name}: primary after ${Date.now() - at.getTime()} ms`)
      await untilRecovered(rig, at)
      await untilSynchronous(rig)
      rig.say(`${primary.name}: follows, and has everything`)
    },
    paced(rig),
  )
}

async function loseStandby(rig: Rig): Promise<void> {
  await untilSynchronous(rig)
  const { standby } = await primaryAndStandby(rig.stack)
  await loseOne(rig, standby.name, async () => {
    const refused = await rig.stack.promote().then(
      () => false,
      () => true,
    )
    rig.require(refused, 'a standby that may lack a purchase was promoted')
  })
  await untilSynchronous(rig)
}

/** A majority of the brokers is gone: what is accepted waits in the database, and nothing of it is lost. */
async function loseMostBrokers(rig: Rig): Promise<void> {
  const lost = rig.random.pickSome([1, 2, 3], 2).map(brokerName)
  await buyDuring(
    rig,
    async () => {
      await lose(rig, lost)
      await rig.pause(rig.short ? 10 : 20)
      await Promise.all(lost.map((name) => rig.stack.startProcess(name)))
      const back = new Date()
      rig.healed()
      rig.say(`${lost.join(', ')}: started`)
      await untilRecovered(rig, back)
    },
    paced(rig),
  )
}

export const clusterDrills: Drill[] = [
  {
    id: 'C0',
    about: 'nothing breaks',
    purchases: 100,
    short: 20,
    run: async (rig) => void (await rig.buy()),
  },
  {
    id: 'C1',
    about: 'kill -9 of the broker that leads the first partition of most topics',
    purchases: 100,
    short: 20,
    run: async (rig) => loseOne(rig, await busiestBroker(rig)),
  },
  {
    id: 'C2',
    about: 'kill -9 of one of two Temporal processes',
    purchases: 100,
    short: 20,
    run: (rig) => loseOne(rig, rig.random.pick(['temporal', 'temporal-2'])),
  },
  {
    id: 'C3',
    about: 'kill -9 of a Redis master',
    purchases: 100,
    short: 20,
    run: loseRedisMaster,
  },
  {
    id: 'C4',
    about: 'kill -9 of the primary, and promotion of the standby',
    purchases: 100,
    short: 20,
    run: promoteStandby,
  },
  {
    id: 'C5',
    about: 'kill -9 of the standby',
    purchases: 100,
    short: 20,
    run: loseStandby,
  },
  {
    id: 'C6',
    about: 'kill -9 of two of three brokers',
    purchases: 100,
    short: 20,
    run: loseMostBrokers,
  },
  {
    id: 'C7',
    about: 'kill -9 of the pooler and of the gateway to Temporal, which are started again',
    purchases: 100,
    short: 20,
    run: (rig) =>
      buyDuring(
        rig,
        async () => {
          const at = new Date()
          await Promise.all(['pgbouncer', 'temporal-gateway'].map((name) => rig.kill(name)))
          await untilRecovered(rig, at)
        },
        paced(rig),
      ),
  },
]

import type { ServiceName } from '../../scripts/stack/services.ts'
import { serviceNames } from '../../scripts/stack/services.ts'
import { request } from '../../scripts/stack/shop-client.ts'
import type { EventName } from '../../shared/contracts/events.ts'
import { type AnyCommandName, participants } from '../../shared/contracts/steps.ts'
import type { Fault } from '../../shared/messaging/fault-injection.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { startReplica } from '../helpers/service-process.ts'
import type { Drill } from './drill.ts'
import { untilAllEnded } from './messages.ts'
import { requestRefunds, untilRefundsEnded } from './refunds.ts'
import type { Rig } from './rig.ts'

/** Buys while `breaking` is under way. */
export async function buyDuring(
  rig: Rig,
  breaking: () => Promise<void>,
  buying = {},
): Promise<void> {
  await rig.buyers()
  const during = (async () => {
    await rig.pause(rig.random.between(3, 10) / 10)
    await breaking()
  })()
  await Promise.all([rig.buy({ during, ...buying }), during])
}

function killsOf(name: string, kills: { long: number; short: number; everySeconds: number }) {
  return async (rig: Rig): Promise<void> => {
    await buyDuring(rig, async () => {
      const times = rig.short ? kills.short : kills.long
      for (let kill = 1; kill <= times; kill++) {
        await rig.kill(name)
        if (kill < times) await rig.pause(kills.everySeconds * (rig.random.between(5, 15) / 10))
      }
    })
  }
}

const kill =
  (at: 'before-handle' | 'after-handle' | 'before-publish' | 'after-publish') =>
  (...names: (AnyCommandName | EventName)[]): Fault => ({ at, action: 'kill', names })
const beforeHandle = kill('before-handle')
const afterHandle = kill('after-handle')
const beforePublish = kill('before-publish')
const afterPublish = kill('after-publish')

/** Every point at which a process is killed, by service. A reply has the name of its command. */
export const points = {
  product: [
    beforeHandle('reserveStock'),
    beforePublish('reserveStock'),
    afterHandle('reserveStock'),
    beforePublish('releaseStock'),
    afterHandle('releaseStock'),
    afterHandle('purchaseEnded'),
    beforeHandle('purchaseEnded'),
  ],
  order: [
    beforeHandle('createOrder'),
    beforePublish('createOrder'),
    afterHandle('createOrder'),
    beforePublish('cancelOrder'),
    afterHandle('cancelOrder'),
    beforeHandle('purchaseEnded'),
    afterHandle('purchaseEnded'),
  ],
  payment: [
    { at: 'after-capture', action: 'kill' },
    beforePublish('takePayment'),
    afterHandle('takePayment'),
    { at: 'after-give-back', action: 'kill' },
    beforePublish('refundPayment'),
    beforeHandle('takePayment'),
    afterHandle('refundPayment'),
  ],
  orchestrator: [
    afterPublish('takePayment'),
    beforeHandle('takePayment'),
    afterHandle('reserveStock'),
    afterHandle('purchaseAccepted'),
    afterPublish('releaseStock'),
    afterPublish('purchaseEnded'),
    beforePublish('purchaseEnded'),
  ],
  purchase: [
    beforePublish('purchaseAccepted'),
    afterPublish('purchaseAccepted'),
    beforeHandle('purchaseEnded'),
    afterHandle('purchaseEnded'),
    afterHandle('takePayment'),
    beforeHandle('reserveStock'),
    beforeHandle('takePayment'),
  ],
} satisfies Partial<Record<ServiceName, Fault[]>>
const rounds = Math.max(...Object.values(points).map((all) => all.length))
/** A point of a late step is reached only when the services before it have been killed, and are back. */
const pointDeadlineMs = 300_000
/** Enough that are undone, and some whose capture is never answered. */
const manyUndone = { sim_declined: 0.3, sim_timeout: 0.15 }
const declined = { sim_declined: 0.3 }

async function killAtPoints(rig: Rig, round: number): Promise<void> {
  const names = Object.keys(points) as (keyof typeof points)[]
  const chosen = names.map((name) => {
    // A service with fewer points begins again.
    const all: Fault[] = points[name]
    const point = all[round % all.length] as Fault
    return [name, [{ ...point, nth: rig.random.between(1, 2) }]] as const
  })
  const before = new Map<string, number>()
  for (const name of names) before.set(name, await rig.restartsOf(name))
  await rig.inject(Object.fromEntries(chosen), { forOneLife: true })
  const killed = Promise.all(
    chosen.map(async ([name, [fault]]) => {
      const passed = await waitFor(
        `${name} to be killed`,
        // One start more than the one with the fault.
        async () => (await rig.restartsOf(name)) > (before.get(name) ?? 0) + 1,
        pointDeadlineMs,
      ).catch(() => false)
      const where = fault && 'at' in fault ? `${fault.at} ${fault.names?.join() ?? ''}` : ''
      rig.require(Boolean(passed), `${name} never came to ${where}`)
      if (passed) await rig.back(name)
      rig.say(`${name}: killed ${where}`)
    }),
  )
  const purchases = rig.short ? rig.purchases : Math.ceil(rig.purchases / rounds)
  await rig.buy({ purchases, during: killed, methods: rig.short ? declined : manyUndone })
  await killed
}

/** Reads products until `during` has settled: also without Redis, every read must be answered. */
export async function readProducts(rig: Rig, during: Promise<unknown>): Promise<void> {
  let reading = true
  void during.catch(() => undefined).then(() => (reading = false))
  const { products } = await rig.buyers()
  let reads = 0
  while (reading) {
    const { id } = rig.random.pick(products)
    const { status } = await request(rig.stack.urls.api, 'GET', `/products/${id}`).catch(() => ({
      status: 0,
    }))
    rig.require(status === 200, `a product was answered ${status}`)
    reads += 1
    await rig.pause(0.05)
  }
  rig.say(`${reads} products were read`)
}

async function loseRedis(rig: Rig): Promise<void> {
  const all = [1, 2, 3, 4, 5, 6].map((index) => `redis-${index}`)
  const master = `redis-${rig.random.between(1, 3)}`
  const breaking = async () => {
    await rig.stack.signal(master, 'SIGKILL')
    await rig.stack.stopProcess(master)
    // Longer than the nodes wait before a replica takes over.
    await rig.pause(7)
    await rig.stack.startProcess(master)
    rig.say(`${master} was unavailable until a replica took over`)
    await Promise.all(all.map((name) => rig.stack.stopProcess(name)))
    await rig.pause(rig.short ? 2 : 10)
    await Promise.all(all.map((name) => rig.stack.startProcess(name)))
    rig.healed()
    rig.say('all of Redis was unavailable')
  }
  await buyDuring(rig, async () => {
    const broken = breaking()
    await Promise.all([readProducts(rig, broken), broken])
  })
}

/** Replicas join and leave, so that the partitions of every group are reassigned continuously. */
async function stormRebalances(rig: Rig): Promise<void> {
  const names: ServiceName[] = rig.short ? [...participants] : [...participants, 'orchestrator']
  const times = rig.short ? 2 : 15
  await buyDuring(rig, async () => {
    for (let time = 1; time <= times; time++) {
      const started = names.map((name) => startReplica(name, rig.stack, rig.profileEnv))
      try {
        await Promise.all(started.map((replica) => replica.port(120_000)))
        await rig.pause(2)
        for (const replica of started) replica.stop()
        const codes = await Promise.all(started.map((replica) => replica.exited()))
        rig.require(
          codes.every((code) => code === 0),
          `replicas ended with ${codes.join()}`,
        )
      } finally {
        await Promise.all(started.map((replica) => replica.close()))
      }
      rig.say(`a replica each of ${names.join(', ')} came and went`)
    }
    rig.healed()
  })
}

export const killDrills: Drill[] = [
  {
    id: 'F1',
    about: 'kill -9 of the orchestrator, again and again, also while it refunds',
    purchases: 500,
    short: 15,
    async run(rig) {
      await killsOf('orchestrator', { long: 10, short: 1, everySeconds: 5 })(rig)
      await untilAllEnded(rig)
      // Payment dies between the provider's refund and its own row, once.
      const died: Fault = { at: 'after-give-back', action: 'kill', nth: 2 }
      const restarts = await rig.restartsOf('payment')
      await rig.inject({ payment: [died] }, { forOneLife: true })
      const killing = (async () => {
        for (const name of ['orchestrator', 'product', 'orchestrator']) await rig.kill(name)
      })()
      await Promise.all([requestRefunds(rig), killing])
      await untilRefundsEnded(rig)
      // One start more than the one with the fault.
      const passed = (await rig.restartsOf('payment')) > restarts + 1
      rig.require(passed, 'payment was not killed after it gave money back')
    },
  },
  {
    id: 'F2',
    about: 'kill -9 of every service at every point around commit, reply and offset',
    purchases: 500,
    short: 12,
    async run(rig) {
      const all = Array.from({ length: rounds }, (_, round) => round)
      for (const round of rig.short ? [0] : all) await killAtPoints(rig, round)
    },
  },
  {
    id: 'F3',
    about: 'rolling SIGTERM of all services',
    purchases: 100,
    short: 10,
    run: (rig) =>
      buyDuring(rig, async () => {
        for (const name of serviceNames) await rig.kill(name, 'SIGTERM')
      }),
  },
  {
    id: 'F4',
    about: 'kill -9 of Kafka',
    purchases: 500,
    short: 15,
    run: killsOf('kafka', { long: 2, short: 1, everySeconds: 15 }),
  },
  {
    id: 'F5',
    about: 'kill -9 of Temporal',
    purchases: 500,
    short: 15,
    run: killsOf('temporal', { long: 3, short: 1, everySeconds: 10 }),
  },
  {
    id: 'F6',
    about: 'restart and crash of PostgreSQL, which all databases share here',
    purchases: 100,
    short: 15,
    run: (rig) =>
      buyDuring(rig, async () => {
        // Fast shutdown ends all sessions; SIGQUIT leaves the rest to crash recovery.
        await rig.kill('postgres', 'SIGINT')
        await rig.pause(3)
        await rig.kill('postgres', 'SIGQUIT')
      }),
  },
  {
    id: 'F7',
    about: 'a Redis master lost, then the whole cluster',
    purchases: 100,
    short: 10,
    run: loseRedis,
  },
  {
    id: 'F18',
    about: 'rebalance storm: replicas join and leave',
    purchases: 100,
    short: 15,
    run: stormRebalances,
  },
  {
    id: 'F24',
    about: 'a worker that keeps one workflow in memory, and is killed',
    purchases: 100,
    short: 12,
    async run(rig) {
      await rig.configure({ orchestrator: { MAX_CACHED_WORKFLOWS: '1' } })
      if (rig.short) await rig.buy()
      else await killsOf('orchestrator', { long: 2, short: 1, everySeconds: 5 })(rig)
    },
  },
]

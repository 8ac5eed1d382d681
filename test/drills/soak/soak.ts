import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { arrivalTimes, onSchedule } from '../../../bench/schedule.ts'
import type { Database } from '../../../prisma/databases.ts'
import { buyUntilAnswered } from '../../../scripts/stack/buy-until-answered.ts'
import { redisPorts } from '../../../scripts/stack/ports.ts'
import { serviceNames } from '../../../scripts/stack/services.ts'
import { connectNode } from '../../../scripts/stack/set-up/redis-cluster.ts'
import { formatTable } from '../../../scripts/stack/table.ts'
import { participants } from '../../../shared/contracts/steps.ts'
import type { Fault } from '../../../shared/messaging/fault-injection.ts'
import { patienceMs } from '../buyers.ts'
import type { Drill } from '../drill.ts'
import type { Rig } from '../rig.ts'
import { withDatabase } from '../shop-database.ts'
import { type Mark, renderSoak } from './picture.ts'
import { type Samples, sampleProcesses, slopePerHour, steadyPart } from './samples.ts'

const perMinute = 1_000
const everyMs = 10_000
/** A leak of a kilobyte in each purchase is 60 MB in an hour. */
const mostMbPerHour = 30
const mostFilesPerHour = 10
/** What runs at the moment has timers, so their number varies by some tens; one a purchase is 60,000. */
const mostTimersPerHour = 200
const lostSeconds = 30
const picture = join(import.meta.dirname, '../../../docs/soak.svg')

/** What is done to the shop, at so many parts of the time. */
const breaks: { at: number; what: string; run(rig: Rig): Promise<void> }[] = [
  { at: 0.25, what: 'F1 orchestrator killed', run: (rig) => rig.kill('orchestrator') },
  { at: 0.5, what: 'F4 Kafka killed', run: (rig) => rig.kill('kafka') },
  {
    at: 0.75,
    what: 'F9 replies lost',
    async run(rig) {
      const drop: Fault = { message: 'drop', topics: ['replies'], probability: 0.1 }
      await rig.inject(Object.fromEntries(participants.map((name) => [name, [drop]])))
      await rig.pause(lostSeconds)
      await rig.heal()
    },
  },
]

/** Sells and buys for so long, at the rate of the original's README, with faults in between. */
export function soakDrill(minutes: number): Drill {
  const purchases = perMinute * minutes
  return {
    id: 'soak',
    about: `${perMinute} purchases a minute for ${minutes} minutes, with F1, F4 and F9 in between`,
    purchases,
    short: purchases,
    run: (rig) => soak(rig, minutes),
  }
}

async function soak(rig: Rig, minutes: number): Promise<void> {
  const { customers, addProduct } = await rig.buyers()
  const products = await Promise.all(Array.from({ length: 20 }, () => addProduct(10_000_000)))
  const keysBefore = await countKeys(rig)
  const startedAt = Date.now()
  const minuteNow = () => (Date.now() - startedAt) / 60_000
  const marks: Mark[] = []

  async function breakIt(): Promise<void> {
    for (const { at, what, run } of breaks) {
      await rig.pause(Math.max(0, (at * minutes - minuteNow()) * 60))
      marks.push({ minute: minuteNow(), what })
      rig.say(what)
      await run(rig)
    }
  }

  const ended = new AbortController()
  const sampling = sampleProcesses(rig.stack.status, { everyMs, ended: ended.signal })
  const buying = onSchedule(arrivalTimes(perMinute, minutes * 60), async (index) => {
    const customer = customers[index % customers.length]
    const lines = [products[index % 20], products[(index + 7) % 20]]
    const order_items = lines.flatMap((product) =>
      product ? [{ product_id: product.id, quantity: 1 }] : [],
    )
    if (!customer) throw new Error('there are no customers')
    return buyUntilAnswered(customer, { order_items }, { patienceMs })
  })
  const [bought] = await Promise.all([buying, breakIt()])
  ended.abort()
  rig.note(bought)
  const samples = await sampling
  report(rig, samples)
  rig.say(`Redis: ${keysBefore} keys before, ${await countKeys(rig)} after`)
  rig.say(await storedMessages(rig))
  const services = new Map(
    serviceNames.flatMap((name) => [[name, samples.get(name) ?? []] as const]),
  )
  await writeFile(picture, renderSoak(services, marks))
}

/** The keys of all Redis nodes, each as often as it is stored. */
async function countKeys({ stack }: Rig): Promise<number> {
  const counts = await Promise.all(
    redisPorts(stack.ports).map(async (port) => {
      const node = connectNode('127.0.0.1', port)
      try {
        await node.connect()
        return await node.dbsize()
      } finally {
        node.disconnect()
      }
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/** How many commands the inboxes keep, which is for their retention, and how many e-mails wait. */
async function storedMessages({ stack }: Rig): Promise<string> {
  const count = (database: Database, rows: string) =>
    withDatabase(stack, database, async (client) => {
      const found = await client.query(`SELECT count(*) FROM ${rows}`)
      return `${database} ${found.rows[0]?.count}`
    })
  const kept = await Promise.all(participants.map((name) => count(name, 'inbox')))
  const waiting = await count('account', 'outbox WHERE sent_at IS NULL')
  return `commands in the inboxes: ${kept.join(', ')}; e-mails that wait: ${waiting}`
}

/** Prints how memory, open files and timers of every process changed; a service that grows is a violation. */
function report(rig: Rig, samples: Samples): void {
  const names: readonly string[] = serviceNames
  const rows = [...samples].map(([name, all]) => {
    const steady = steadyPart(all)
    const slope = (of: 'rssMb' | 'files' | 'timers') =>
      slopePerHour(
        steady.flatMap(({ minute, [of]: value }) => (value === undefined ? [] : { minute, value })),
      )
    const [memory, files, timers] = [slope('rssMb'), slope('files'), slope('timers')]
    if (names.includes(name)) {
      rig.require(memory <= mostMbPerHour, `${name} grows by ${memory.toFixed(1)} MB an hour`)
      rig.require(files <= mostFilesPerHour, `${name} opens ${files.toFixed(1)} files an hour`)
      rig.require(timers <= mostTimersPerHour, `${name} sets ${timers.toFixed(1)} timers an hour`)
    }
    const first = all[0]?.rssMb ?? 0
    const most = Math.max(0, ...all.map(({ rssMb }) => rssMb))
    const [last] = all.slice(-1)
    return [
      name,
      `${first}`,
      `${last?.rssMb ?? ''}`,
      `${most}`,
      memory.toFixed(1),
      files.toFixed(1),
      steady.some((one) => one.timers !== undefined) ? timers.toFixed(1) : '',
    ]
  })
  const head = ['process', 'MB first', 'last', 'most', 'MB an hour', 'files', 'timers']
  rig.say(`memory and open files\n${formatTable([head, ...rows])}`)
}

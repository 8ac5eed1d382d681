import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openShop, postPurchases, type Shop } from '../../bench/load.ts'
import { printReport, type Report, reconcile } from '../../bench/reconcile.ts'
import { arrivalTimes, onSchedule } from '../../bench/schedule.ts'
import { countBy, summarize } from '../../bench/stats.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { connectStack, type Stack } from '../../scripts/stack/client.ts'
import { request } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { untilEnded, withDatabase } from './shop-database.ts'

/*
 * Buys ten times as fast as the shop can handle, without waiting for answers, and checks every result. As a
 * program: node test/drills/overload.ts --seconds 30 --factor 10, beside `npm run up`.
 */

export type OverloadOptions = {
  /** How long to post. */
  seconds: number
  /** Posts a second; by default `factor` times the rate that the shop sustains, which is measured first. */
  perSecond?: number
  factor?: number
  /** How long accepted purchases may take to end afterwards. */
  recoverySeconds?: number
}

export type Overload = {
  perSecond: number
  posted: number
  /** Answers by status, or by the name of the error. */
  answers: Record<string, number>
  accepted: number
  /** Purchases that were answered 202 and do not exist. */
  lost: string[]
  /** Refusals without a Retry-After. */
  rude: number
  refusedMs: { p50: number; p95: number }
  /** From the last POST to the last end, and to the first purchase that is as fast as before. */
  recoveryMs: number
  /** Of each watched process, in MB: before, and at most. */
  memory: Record<string, { before: number; most: number }>
  report: Report
}

type Post = { status: string; ms: number; id: string | undefined; rude: boolean }

const watched = ['purchase', 'orchestrator']
const sampleMs = 500
/** Too many requests in flight, or too many unfinished purchases of the one customer. */
const refusals = new Set(['503', '429'])
const measuredPurchases = 60
/** Once nothing is under way any more. */
const acceptedWithinMs = 60_000

/** How many purchases a second end when few are under way. */
async function measureRate(stack: Pick<Stack, 'ports' | 'secrets'>, shop: Shop): Promise<number> {
  const startedAt = performance.now()
  const options = { purchases: measuredPurchases, inFlight: 8, methods: ['sim_ok' as const] }
  await postPurchases(shop, options, () => undefined)
  await untilEnded(stack, 120_000)
  return (measuredPurchases / (performance.now() - startedAt)) * 1_000
}

async function post(api: string, { customer, products }: Shop, number: number): Promise<Post> {
  const product = products[number % products.length]
  const startedAt = performance.now()
  try {
    const { status, headers, body } = await request<{ purchase_id?: string }>(
      api,
      'POST',
      '/purchases',
      {
        token: customer.token,
        body: {
          order_items: [{ product_id: product?.id, quantity: 1 }],
          payment: { currency_code: 'VND' },
        },
      },
    )
    return {
      status: `${status}`,
      ms: performance.now() - startedAt,
      id: body.purchase_id,
      rude: refusals.has(`${status}`) && headers['retry-after'] === undefined,
    }
  } catch (error) {
    const status = (error as Error).name
    return { status, ms: performance.now() - startedAt, id: undefined, rude: false }
  }
}

function watchMemory(stack: Pick<Stack, 'status'>) {
  const memory: Overload['memory'] = {}
  let watching = true
  async function sample() {
    const { processes } = await stack.status()
    for (const { name, rssMb } of processes.filter(({ name }) => watched.includes(name))) {
      memory[name] ??= { before: rssMb, most: rssMb }
      memory[name].most = Math.max(memory[name].most, rssMb)
    }
  }
  const first = sample()
  const done = (async () => {
    await first
    while (watching) {
      await sleep(sampleMs)
      await sample()
    }
  })()
  return {
    started: first,
    async stop() {
      watching = false
      await done
      return memory
    },
  }
}

/** Overloads a running shop. It throws only when the shop cannot be reached or does not recover in time. */
export async function overload(
  stack: Stack,
  { seconds, perSecond, factor = 10, recoverySeconds = 600 }: OverloadOptions,
): Promise<Overload> {
  const { api } = stack.urls
  const shop = await openShop(api, 10)
  const rate = perSecond ?? Math.ceil(factor * (await measureRate(stack, shop)))
  const memory = watchMemory(stack)
  await memory.started
  const posts = await onSchedule(arrivalTimes(rate * 60, seconds), (index) =>
    post(api, shop, index),
  )

  const endedPostingAt = performance.now()
  await untilEnded(stack, recoverySeconds * 1_000)
  const acceptedAgain = async () => {
    const next = await post(api, shop, 0)
    return next.id !== undefined && next
  }
  const { id = '' } = await waitFor('a purchase to be accepted', acceptedAgain, acceptedWithinMs)
  await shop.customer.waitForEnd(id)
  const recoveryMs = performance.now() - endedPostingAt

  const accepted = posts.flatMap((one) => one.id ?? [])
  const known = await withDatabase(stack, 'purchase', async (database) => {
    const { rows } = await database.query<{ id: string }>(
      'SELECT id FROM purchases WHERE customer_id = $1',
      [shop.customerId],
    )
    return new Set(rows.map((row) => row.id))
  })
  const refused = posts.filter(({ status }) => refusals.has(status))
  const { p50, p95 } = summarize(refused.map(({ ms }) => ms))
  return {
    perSecond: rate,
    posted: posts.length,
    answers: Object.fromEntries(countBy(posts, ({ status }) => status)),
    accepted: accepted.length,
    lost: accepted.filter((one) => !known.has(one)),
    rude: posts.filter(({ rude }) => rude).length,
    refusedMs: { p50, p95 },
    recoveryMs,
    memory: await memory.stop(),
    report: await reconcile(addressesOf(stack), { waitSeconds: recoverySeconds }),
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '30' },
      factor: { type: 'string', default: '10' },
    },
  })
  const stack = await connectStack(process.env.STACK_DATA || '.stack')
  const { report, ...figures } = await overload(stack, {
    seconds: Number(values.seconds),
    factor: Number(values.factor),
  })
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
  printReport(report)
  if (!report.ok || figures.lost.length > 0 || figures.rude > 0) process.exitCode = 1
}

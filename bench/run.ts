import type { Addresses } from '../scripts/stack/addresses.ts'
import type { StackStatus } from '../scripts/stack/client.ts'
import { type CeilingFigures, measureCeiling } from './ceiling.ts'
import { connectEnds, type Ends } from './ends.ts'
import { allCompleted, type PurchaseFigures, purchaseFigures } from './figures.ts'
import { connectKafkaTraffic, type Traffic } from './kafka-traffic.ts'
import { openShop, type Post, postOnSchedule, postPurchases, type Shop } from './load.ts'
import type { Phase, Settings } from './options.ts'
import { type Use, watching } from './processes.ts'
import type { Progress } from './progress.ts'
import { type ReadFigures, readProducts } from './reads.ts'
import { type Report, reconcile } from './reconcile.ts'
import { connectSagas, type SagaCost } from './sagas.ts'
import { arrivalTimes } from './schedule.ts'
import { findHighestRate, type Trial } from './search.ts'

/** A running shop, and its processes if a launcher on this machine knows them. */
export type Target = Addresses & { status?: () => Promise<StackStatus> }

export type Burst = PurchaseFigures & { inFlight: number; use: Use | undefined }
export type Costs = { sagas: number; temporal: SagaCost; kafka: Traffic }
export type Search = { perMinute: number; trials: Trial[] }

/** What one run measured: a phase that was not asked for is absent. */
export type RunResult = {
  startedAt: string
  coldStartSeconds?: number
  latency?: PurchaseFigures
  burst?: Burst
  costs?: Costs
  open?: PurchaseFigures & { perMinute: number }
  search?: Search
  reads?: ReadFigures
  ceiling?: CeilingFigures
  long?: Burst
  reconciled: Report
}

export type Context = { target: Target; settings: Settings; ends: Ends; progress: Progress }

/** A rate is sustained if all purchases are answered and completed, and the slowest percent takes no longer. */
const bearableP99Ms = 2_000
const fallbackFirstRate = 600
const lowestRate = 60
/** The number of sagas whose cost is read. */
const maxCostSample = 100

/** Measures every phase in turn, then reconciles to prove that nothing was lost. */
export async function runOnce(
  target: Target,
  settings: Settings,
  progress: Progress,
  wanted: readonly Phase[],
): Promise<RunResult> {
  await using open = new AsyncDisposableStack()
  const ends = open.adopt(await connectEnds(target.databases.purchase), (one) => one.close())
  const context: Context = { target, settings, ends, progress }
  const result: Omit<RunResult, 'reconciled'> = { startedAt: new Date().toISOString() }
  const { inFlight } = settings

  if (wanted.some((phase) => phase !== 'reads' && phase !== 'ceiling')) {
    await buy(context, 'warm-up', { purchases: settings.warmUp, inFlight: 16 })
  }
  if (wanted.includes('latency')) result.latency = await oneAtATime(context)
  if (wanted.includes('burst')) {
    const sizes = { purchases: settings.purchases, inFlight }
    const { burst, costs } = await burstWithCosts(context, sizes)
    result.burst = burst
    result.costs = costs
  }
  if (wanted.includes('open')) {
    const rate = { perMinute: settings.perMinute, seconds: settings.openSeconds }
    result.open = { ...(await openLoop(context, 'open', rate)), perMinute: rate.perMinute }
  }
  if (wanted.includes('search')) {
    const guess = (result.burst?.completedPerSecond ?? 0) * 60 * 0.75
    const first = Math.max(lowestRate, Math.round(guess) || fallbackFirstRate)
    result.search = await search(context, first)
  }
  if (wanted.includes('reads')) result.reads = await readWarm(context)
  if (wanted.includes('ceiling')) result.ceiling = await ceiling(context)
  if (wanted.includes('long')) {
    const sizes = { purchases: settings.longPurchases, inFlight }
    result.long = (await buy(context, 'long', sizes)).burst
  }
  progress.say('reconciling')
  return { ...result, reconciled: withLost(await reconcile(target), result) }
}

/** Whether a run is valid: nothing was lost and every invariant holds. */
export function isSound({ reconciled }: RunResult): boolean {
  return reconciled.ok
}

/** A purchase that was answered 202 and is in no table; no check of the databases can find it. */
export function withLost(report: Report, result: Omit<RunResult, 'reconciled'>): Report {
  const { latency, burst, open, long } = result
  const lost = [latency, burst, open, long].flatMap((figures) => figures?.lost ?? [])
  const check = {
    name: 'every 202 has its purchase',
    ok: lost.length === 0,
    detail: lost.join('\n') || 'none is lost',
    purchaseIds: lost,
  }
  return { ...report, ok: report.ok && check.ok, checks: [...report.checks, check] }
}

/** Waits for the ends of what is being posted, showing how far it is. */
async function untilAllEnded(
  { ends, progress }: Context,
  { customerId }: Shop,
  posting: Promise<Post[]>,
  progressOf: { posted: number },
): Promise<PurchaseFigures> {
  await ends.waitForAll(customerId, posting, (ended) =>
    progress.update(ended, `ended, ${progressOf.posted} posted`),
  )
  return purchaseFigures(await posting, await ends.readAll(customerId))
}

/** A burst: so many purchases, so many POSTs in flight at a time. */
export async function buy(
  context: Context,
  name: string,
  { purchases, inFlight }: { purchases: number; inFlight: number },
) {
  const { target, settings, progress } = context
  const shop = await openShop(target.api, settings.products)
  const counted = { posted: 0 }
  progress.start(name, purchases)
  const { result: figures, use } = await watching(target.status, () => {
    const posting = postPurchases(
      shop,
      { purchases, inFlight, methods: settings.methods },
      () => counted.posted++,
    )
    return untilAllEnded(context, shop, posting, counted)
  })
  progress.stop()
  return { shop, burst: { ...figures, inFlight, use } }
}

/** The burst, and what it sent through Kafka and left in Temporal. */
async function burstWithCosts(
  context: Context,
  sizes: { purchases: number; inFlight: number },
): Promise<{ burst: Burst; costs: Costs }> {
  const { target, ends, progress } = context
  await using open = new AsyncDisposableStack()
  const kafka = open.adopt(await connectKafkaTraffic(target.kafkaBrokers), (one) => one.close())
  const sagas = open.adopt(await connectSagas(target.temporal), (one) => one.close())
  const from = await kafka.position()
  const { shop, burst } = await buy(context, 'burst', sizes)
  progress.say('reading what the burst left in Kafka and Temporal')
  const ids = [...(await ends.readAll(shop.customerId)).keys()]
  const costs = {
    sagas: ids.length,
    temporal: await sagas.meanCost(ids.slice(0, maxCostSample)),
    kafka: await kafka.between(from, await kafka.settled()),
  }
  return { burst, costs }
}

/** The next POST goes out when the purchase before it has ended. */
async function oneAtATime(context: Context): Promise<PurchaseFigures> {
  const { target, settings, ends, progress } = context
  const shop = await openShop(target.api, settings.products)
  const posts: Post[] = []
  progress.start('latency', settings.latencies)
  for (let number = 0; number < settings.latencies; number++) {
    const rotated = { ...shop, products: rotate(shop.products, number) }
    const one = { purchases: 1, inFlight: 1, methods: settings.methods }
    const made = await postPurchases(rotated, one, () => {})
    posts.push(...made)
    const id = made[0]?.purchaseId
    if (id) await ends.waitForOne(id)
    progress.update(number + 1)
  }
  progress.stop()
  return purchaseFigures(posts, await ends.readAll(shop.customerId))
}

function rotate<T>(items: T[], by: number): T[] {
  const start = by % Math.max(1, items.length)
  return [...items.slice(start), ...items.slice(0, start)]
}

async function openLoop(
  context: Context,
  name: string,
  { perMinute, seconds }: { perMinute: number; seconds: number },
): Promise<PurchaseFigures> {
  const { target, settings, progress } = context
  const shop = await openShop(target.api, settings.products)
  const times = arrivalTimes(perMinute, seconds)
  const counted = { posted: 0 }
  progress.start(name, times.length)
  const posting = postOnSchedule(shop, { times, methods: settings.methods }, () => counted.posted++)
  const figures = await untilAllEnded(context, shop, posting, counted)
  progress.stop()
  return figures
}

async function search(context: Context, first: number): Promise<Search> {
  const seconds = context.settings.trialSeconds
  const { best, trials } = await findHighestRate(
    async (perMinute) => {
      const figures = await openLoop(context, `${perMinute}/min`, { perMinute, seconds })
      return allCompleted(figures) && figures.toTerminal.p99 <= bearableP99Ms
    },
    { first, lowest: lowestRate },
  )
  return { perMinute: best, trials }
}

async function readWarm({ target, settings, progress }: Context): Promise<ReadFigures> {
  const shop = await openShop(target.api, settings.products)
  progress.say(`reading products for ${settings.readSeconds} s`)
  return readProducts(target.api, shop, {
    seconds: settings.readSeconds,
    inFlight: settings.readsInFlight,
  })
}

async function ceiling({ target, settings, progress }: Context): Promise<CeilingFigures> {
  const sizes = { sagas: settings.ceilingSagas, inFlight: settings.inFlight }
  progress.start('ceiling', sizes.sagas * 2)
  const figures = await measureCeiling(target.temporal, sizes, (done) => progress.update(done))
  progress.stop()
  return figures
}

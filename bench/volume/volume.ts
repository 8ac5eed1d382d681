import { join } from 'node:path'
import { type Database, databases } from '../../prisma/databases.ts'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { serviceNames } from '../../scripts/stack/services.ts'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { oldestIdAt } from '../../shared/contracts/ids.ts'
import { connectEnds } from '../ends.ts'
import type { Settings } from '../options.ts'
import { type OwnTarget, startOwnTarget } from '../own-stack.ts'
import type { Progress } from '../progress.ts'
import { buy } from '../run.ts'
import { plantBacklog } from './backlog.ts'
import { fillDatabases, fillSteps } from './fill.ts'
import { fillProvider } from './fill-provider.ts'
import { type ListFigures, listsOf, measureLists, requestLists } from './lists.ts'
import { bigTables, connectPlanLog, problemOf, type Statement } from './plans.ts'
import { measureReconciler, type ReconcilerFigures } from './reconciler.ts'
import { idAt, readNamed, type Shape, shapeOf } from './shape.ts'
import { runSweeps } from './sweeps.ts'

type Deps = { settings: Settings; progress: Progress; signal: AbortSignal }
type Owner = { id: string; token: string }

export type Checked = Statement & { problem: string | undefined }
/** Purchases a second of each burst, in turn on the empty and on the filled shop. */
export type Bursts = { empty: number[]; filled: number[] }

export type VolumeFigures = {
  rows: number
  fillSeconds: number
  lists: ListFigures[]
  /** Statements of all databases: what ran in the filled shop, and what sweeps run after an outage. */
  statements: Checked[]
  bursts: Bursts
  reconciler: ReconcilerFigures
}

const pairs = 3
const monthMs = 30 * 24 * 60 * 60 * 1_000
/** The fill alone takes longer than a token lives. */
const env = { account: { ACCESS_TOKEN_TTL_SECONDS: '86400' } }

/** Fills a shop of its own and measures it beside an empty one. */
export async function measureVolume({ settings, progress, signal }: Deps): Promise<VolumeFigures> {
  await using open = new AsyncDisposableStack()
  progress.say('starting an empty shop and one to fill')
  const empty = open.adopt(await startOwnTarget({ signal, env }), (it) => it.close())
  const filled = open.adopt(await startOwnTarget({ signal, env }), (it) => it.close())
  const { stack, target } = filled
  const shape = shapeOf(settings.rows)
  const urls = urlsOf(filled)
  const admin = databaseUrl(stack, 'product', 'postgres')
  const logFile = join(stack.dataDir, 'logs', 'postgres.log')

  const customer = await register(target.api)
  const seller = await register(target.api)
  for (const name of serviceNames) await stack.stopProcess(name)
  const startedAt = Date.now()
  progress.start('filling', fillSteps(shape))
  const owners = { customerId: customer.id, sellerId: seller.id }
  await fillDatabases(urlsOf(filled, true), shape, owners, (done) => progress.update(done))
  await fillProvider(urls.payment, join(stack.dataDir, 'provider', 'ledger.db'))
  progress.stop()
  const fillSeconds = (Date.now() - startedAt) / 1_000
  const plans = open.adopt(await connectPlanLog(admin, logFile, shape.rows), (it) => it.close())
  progress.say(`filled in ${Math.round(fillSeconds)} s; starting its services`)
  await Promise.all(serviceNames.map((name) => stack.startProcess(name)))

  const named = await readNamed(admin, shape)
  const asked = listsOf({
    ...askedOf(shape),
    ...named,
    ...{ api: target.api, customerToken: customer.token },
    ...{ sellerToken: seller.token, sellerId: seller.id },
    ...{ operatorApi: stack.urls.operators, operatorToken: stack.secrets.operatorToken },
  })
  const bursts = await compareBursts({ empty, filled }, { settings, progress, signal })
  progress.start('lists', asked.length)
  const lists = await measureLists(asked, (done) => progress.update(done))
  progress.stop()
  progress.say('reconciling')
  const reconciler = await measureReconciler(stack.dataDir)

  progress.say('reading the plans of all statements')
  const big = await bigTables(urlsOf(filled, true), shape.rows)
  await plans.start()
  await requestLists(asked)
  await burst(filled, 'plans', Math.min(settings.purchases, 60), { settings, progress, signal })
  for (const name of serviceNames) await stack.stopProcess(name)
  await plantBacklog(urlsOf(filled, true), shape)
  await runSweeps(urls, shape, owners)
  const statements = (await plans.stop()).map((statement) => {
    return { ...statement, problem: problemOf(statement, big, shape.rows) }
  })
  return { rows: shape.rows, fillSeconds, lists, statements, bursts, reconciler }
}

async function register(api: string): Promise<Owner> {
  const { token } = await registerCustomer(api)
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return { id: JSON.parse(payload).sub, token }
}

function urlsOf({ stack }: OwnTarget, asAdmin = false): Record<Database, string> {
  const urls = databases.map((name) => [
    name,
    databaseUrl(stack, name, asAdmin ? 'postgres' : name),
  ])
  return Object.fromEntries(urls)
}

/** What the lists are asked for: cursors from the middle of what there is. */
function askedOf(shape: Shape) {
  const { productsFrom, productEveryMs, purchasesFrom, purchaseEveryMs, rows } = shape
  const product = productsFrom + (productEveryMs * rows) / 2
  const purchase = purchasesFrom + (purchaseEveryMs * rows) / 2
  const month = (ms: number) => ({ from: new Date(ms), to: new Date(ms + monthMs) })
  return {
    middleProduct: idAt(product),
    oldProduct: idAt(productsFrom + (productEveryMs * rows) / 100),
    middlePurchase: idAt(purchase),
    middleEvent: Math.round(rows / 2),
    productMonth: month(product),
    purchaseMonth: month(purchase),
    categoryId: `${oldestIdAt(Math.round(productsFrom))}-700d-8000-000000000001`,
  }
}

async function burst(
  { target }: OwnTarget,
  name: string,
  purchases: number,
  { settings, progress }: Deps,
): Promise<number> {
  await using open = new AsyncDisposableStack()
  const ends = open.adopt(await connectEnds(target.databases.purchase), (it) => it.close())
  const sizes = { purchases, inFlight: settings.inFlight }
  const { burst: figures } = await buy({ target, settings, ends, progress }, name, sizes)
  return figures.completedPerSecond
}

/** The same bursts on both shops, in turn, after one on each that is not counted. */
async function compareBursts(shops: Record<keyof Bursts, OwnTarget>, deps: Deps): Promise<Bursts> {
  const bursts: Bursts = { empty: [], filled: [] }
  const { warmUp, purchases } = deps.settings
  for (const name of ['empty', 'filled'] as const) await burst(shops[name], 'warm-up', warmUp, deps)
  for (let pair = 0; pair < pairs; pair++) {
    const turn = pair % 2 === 0 ? (['empty', 'filled'] as const) : (['filled', 'empty'] as const)
    for (const name of turn) bursts[name].push(await burst(shops[name], name, purchases, deps))
  }
  return bursts
}

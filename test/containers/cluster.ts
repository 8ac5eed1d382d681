import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { buyUntilAnswered } from '../../scripts/stack/buy-until-answered.ts'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { reconciles, removesAll } from './checks.ts'
import type { Context } from './context.ts'
import { buy, buysAndIsDeclined, shopOf } from './shop-checks.ts'

/*
 * `npm run compose-test -- --cluster`: docker-compose.yml with deploy/cluster/docker-compose.yml. What is killed stays
 * down until the purchases that met its loss have ended, so what heals is the cluster.
 */

const promotion = 'deploy/cluster/promote.sh'
/** Between two purchases: two cores keep up with it. */
const paceMs = 1_000
/** Purchases that are accepted this long after a loss may still meet it. */
const affectedMs = 15_000
const patienceMs = 60_000
const endDeadlineMs = 120_000
const followDeadlineMs = 120_000
const startTimeout = ['--wait-timeout', '600']

/** A file of the folder in which it is written which server is the primary, and which standby has everything. */
async function state({ project }: Context, file: 'primary' | 'complete'): Promise<string> {
  const [id = ''] = await project.containers('pgbouncer')
  return project.docker('exec', id, 'cat', `/state/${file}`).catch(() => '')
}

const other = (server: string) => (server === 'postgres' ? 'postgres-2' : 'postgres')

async function standbyIsComplete(context: Context): Promise<void> {
  const from = Date.now()
  const standby = other(await state(context, 'primary'))
  await waitFor(
    `${standby} to have everything`,
    async () => (await state(context, 'complete')) === standby,
    followDeadlineMs,
  )
  context.log(`${standby} has everything, after ${seconds(from)} s`)
}

/** Asks Temporal's database. */
async function askTemporal(context: Context, sql: string): Promise<string> {
  const [id = ''] = await context.project.containers(await state(context, 'primary'))
  const words = ['psql', '--username', 'postgres', '--no-align', '--tuples-only']
  return context.project.docker('exec', id, ...words, 'temporal', '--command', sql)
}

/** Shards count how often one of them was taken over. */
const takeovers = async (context: Context) =>
  Number(await askTemporal(context, 'select sum(range_id) from shards'))

async function bothTemporalsAreMembers(context: Context): Promise<void> {
  const recent = `last_heartbeat > now() at time zone 'utc' - interval '1 minute'`
  const sql = `select string_agg(distinct rpc_address, ' ') from cluster_membership where ${recent}`
  const addresses = ['temporal', 'temporal-2'].map((name) => context.project.addressesOf(name))
  const expected = (await Promise.all(addresses)).flat().sort().join(' ')
  await waitFor(
    'both Temporal processes to be members',
    async () => (await askTemporal(context, sql)) === expected,
  )
  context.log(`members: ${expected}`)
}

/** Each of them in turn, since one may have all history shards. */
async function goesOnWithoutTemporal(context: Context): Promise<void> {
  for (const name of ['temporal', 'temporal-2']) {
    const before = await takeovers(context)
    await goesOnWithout(name)(context)
    context.log(`shards taken over: ${(await takeovers(context)) - before}`)
    await bothTemporalsAreMembers(context)
  }
}

const seconds = (from: number) => ((Date.now() - from) / 1000).toFixed(1)

/** One purchase from its first request to its end. */
async function buyOne(context: Context): Promise<{ status: string; tookMs: number }> {
  const { customer, productId } = shopOf(context)
  const from = Date.now()
  const order = { order_items: [{ product_id: productId, quantity: 1 }] }
  const { status, purchaseId } = await buyUntilAnswered(customer, order, { patienceMs })
  assert.ok(purchaseId, `a purchase was answered ${status}`)
  const end = Date.now() + endDeadlineMs
  for (;;) {
    const purchase = await customer.getPurchase(purchaseId).catch(() => undefined)
    if (purchase && !['ACCEPTED', 'PROCESSING', 'CANCELLING'].includes(purchase.status)) {
      return { status: purchase.status, tookMs: Date.now() - from }
    }
    assert.ok(Date.now() < end, `purchase ${purchaseId} has no end`)
    await sleep(paceMs / 4)
  }
}

/** A customer whose token is new: one that bought at the start is logged out by now. */
async function useNewCustomer(context: Context): Promise<void> {
  const customer = await registerCustomer(context.urls.shop)
  context.shop = { ...shopOf(context), customer }
}

/** Buys while something is lost, and tells how long the slowest purchase took that met it. */
async function buyThrough(
  context: Context,
  lost: string,
  lose: () => Promise<unknown>,
): Promise<void> {
  await useNewCustomer(context)
  const from = Date.now()
  let busy = true
  const during = lose()
  void during.catch(() => undefined).then(() => (busy = false))
  const buying: ReturnType<typeof buyOne>[] = []
  while (busy || Date.now() - from < affectedMs) {
    const purchase = buyOne(context)
    // Until all of them are waited for.
    purchase.catch(() => undefined)
    buying.push(purchase)
    await sleep(paceMs)
  }
  await during
  const bought = await Promise.all(buying)
  const completed = bought.filter(({ status }) => status === 'COMPLETED').length
  const slowest = Math.max(...bought.map(({ tookMs }) => tookMs)) / 1000
  context.log(
    `without ${lost}: ${completed} of ${bought.length} purchases completed; the slowest took ${slowest.toFixed(1)} s`,
  )
  assert.equal((await buy(context)).status, 'COMPLETED')
}

function goesOnWithout(name: string, whileDown?: (context: Context) => Promise<void>) {
  return async (context: Context): Promise<void> => {
    await buyThrough(context, name, () => context.project.lose(name))
    await whileDown?.(context)
    const from = Date.now()
    await context.project.up('--no-deps', name)
    context.log(`${name} is healthy again ${seconds(from)} s after its start`)
  }
}

/** What was accepted waits for a majority of the brokers, and then goes on. */
async function waitsForBrokers(context: Context): Promise<void> {
  const { project } = context
  const lost = ['kafka-2', 'kafka-3']
  await buyThrough(context, lost.join(' and '), async () => {
    await Promise.all(lost.map((name) => project.lose(name)))
    await sleep(affectedMs)
    await project.up('--no-deps', ...lost)
  })
}

async function refusesToPromote({ project }: Context): Promise<void> {
  await assert.rejects(project.script(promotion), /may lack what was acknowledged/)
}

/** The primary is lost, or well, when its standby takes its place. */
function promotes({ lost }: { lost: boolean }) {
  return async (context: Context): Promise<void> => {
    await standbyIsComplete(context)
    const primary = await state(context, 'primary')
    const promoting = async () => {
      const from = Date.now()
      if (lost) await context.project.lose(primary)
      await context.project.script(promotion)
      context.log(`${other(primary)} is the primary ${seconds(from)} s later`)
    }
    await buyThrough(context, primary, promoting)
    assert.equal(await state(context, 'primary'), other(primary))
    await standbyIsComplete(context)
  }
}

async function keepsRoles(context: Context): Promise<void> {
  const { project } = context
  await useNewCustomer(context)
  const { customer } = shopOf(context)
  const { purchase_id } = await buy(context)
  const primary = await state(context, 'primary')

  await project.compose('down')
  assert.deepEqual(await project.volumes(), await project.namedVolumes())
  await project.up(...startTimeout)

  assert.equal(await state(context, 'primary'), primary)
  assert.equal((await customer.getPurchase(purchase_id)).status, 'COMPLETED')
  assert.equal((await buy(context)).status, 'COMPLETED')
}

/** In their order, in place of the other checks. */
export const clusterSteps: [title: string, check: (context: Context) => Promise<void>][] = [
  [
    '`up --wait` brings everything up healthy',
    async ({ project }) => void (await project.up(...startTimeout)),
  ],
  ['a purchase completes and one is declined', buysAndIsDeclined],
  ['the standby has everything', standbyIsComplete],
  ['purchases go on without a broker', goesOnWithout('kafka')],
  ['purchases wait for two of three brokers, and then go on', waitsForBrokers],
  ['both Temporal processes are members', bothTemporalsAreMembers],
  ['purchases go on without a Temporal process', goesOnWithoutTemporal],
  ['purchases go on without a Redis master', goesOnWithout('redis-1')],
  [
    'purchases go on without the standby, which is not promoted then',
    goesOnWithout('postgres-2', refusesToPromote),
  ],
  ['the reconciler finds no violation', reconciles],
  ['purchases go on on the standby when the primary is lost', promotes({ lost: true })],
  ['the reconciler finds no violation after that', reconciles],
  ['`down` and `up` keep the data and who is the primary', keepsRoles],
  ['and back, while the primary is well', promotes({ lost: false })],
  ['purchases go on without the pooler, which is started again', restarts('pgbouncer')],
  ['purchases go on without the gateway, which is started again', restarts('temporal-gateway')],
  ['the reconciler finds no violation after all', reconciles],
  ['`down --volumes` leaves nothing', removesAll],
]

function restarts(name: string) {
  return (context: Context) => buyThrough(context, name, () => context.project.kill(name))
}

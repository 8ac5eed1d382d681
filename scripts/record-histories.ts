import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import type { CommandName } from '../shared/contracts/commands.ts'
import { agree, holdAt, type Participant, startOrchestrator } from '../test/helpers/orchestrator.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'
import { waitFor } from './wait-for.ts'

/*
 * Records what a purchase on each path leaves in Temporal, for workflows/replay.test.ts. Needs the engines of a stack
 * (npm run up); the orchestrator is the real one, in a namespace of its own, and the participants do as the path says.
 * Histories of a release stay: its purchases must be able to go on under new code.
 */

const checkout = join(import.meta.dirname, '../')
const folder = join(checkout, 'workflows', 'histories')
const release = process.argv[2] ?? 'unreleased'
const stepTimeoutMs = 3_000
const deadlineMs = 120_000

const shop = await startOrchestrator({ stepTimeoutMs, stepAttempts: 3, replyWaitMs: 1_000 })

function refusing(refused: CommandName): Participant {
  return async (command, attempt) =>
    command === refused ? { outcome: 'rejected', reason: 'invalid' } : agree(command, attempt)
}

function silent(...asked: CommandName[]): Participant {
  return async (command, attempt) => (asked.includes(command) ? 'silent' : agree(command, attempt))
}

/** The reply to the first attempt comes when the second one has been asked for. */
function late(asked: CommandName): Participant {
  const again = Promise.withResolvers<void>()
  return async (command, attempt) => {
    if (command === asked && attempt === 1) await again.promise
    else if (command === asked) again.resolve()
    return agree(command, attempt)
  }
}

async function cancelAt(command: CommandName, byTemporal = false): Promise<string> {
  const { participant, release: go } = holdAt(command)
  const accepted = buildPurchase()
  const id = await shop.buy(participant, accepted)
  await shop.asked(id, command)
  if (byTemporal) await shop.handleOf(id).cancel()
  else await shop.cancel(accepted)
  go()
  return id
}

async function cancelBefore(): Promise<string> {
  const accepted = buildPurchase()
  await shop.cancel(accepted)
  return accepted.purchase_id
}

/** Undos that nobody answers; then an operator acts. */
async function stuckThen(path: 'retry' | 'resolve'): Promise<string> {
  const undos = silent('refundPayment', 'releaseStock')
  const id = await shop.buy(async (command, attempt) =>
    command === 'takePayment'
      ? { outcome: 'rejected', reason: 'payment_declined' }
      : undos(command, attempt),
  )
  await waitFor('the stuck undos', () => shop.flagsOf(id).length > 0, deadlineMs)
  const step = 'refund-payment'
  if (path === 'resolve') {
    await shop.operate('POST', `/sagas/${id}/resolve`, { step, note: 'refunded by hand' })
  }
  shop.answer(id, agree)
  await shop.operate('POST', `/sagas/${id}/retry`, {})
  return id
}

async function terminatedAt(command: CommandName): Promise<string> {
  const { participant, release: go } = holdAt(command)
  const id = await shop.buy(participant)
  await shop.asked(id, command)
  await shop.handleOf(id).terminate('by mistake')
  await waitFor('the reset', () => shop.actionsOf(id).length > 0, deadlineMs)
  go()
  return id
}

async function unreadable(): Promise<string> {
  const id = buildPurchase().purchase_id
  const headers = { event: 'purchaseAccepted', purchase_id: id }
  await shop.kafka.publish('purchases', { key: id, headers, value: '{}' })
  return id
}

/** Every path that a purchase can take. Each leads to a purchase that ends. */
const paths: Record<string, () => Promise<string>> = {
  happy: () => shop.buy(),
  'out-of-stock': () => shop.buy(refusing('reserveStock')),
  'order-refused': () => shop.buy(refusing('createOrder')),
  declined: () => shop.buy(refusing('takePayment')),
  'reserve-stock-timeout': () => shop.buy(silent('reserveStock')),
  'create-order-timeout': () => shop.buy(silent('createOrder')),
  'take-payment-timeout': () => shop.buy(silent('takePayment')),
  'late-reply': () => shop.buy(late('createOrder')),
  'cancelled-before-start': cancelBefore,
  'cancelled-at-reserve-stock': () => cancelAt('reserveStock'),
  'cancelled-at-create-order': () => cancelAt('createOrder'),
  'cancelled-at-take-payment': () => cancelAt('takePayment'),
  'cancelled-by-temporal': () => cancelAt('createOrder', true),
  'needs-attention-retried': () => stuckThen('retry'),
  'needs-attention-resolved': () => stuckThen('resolve'),
  'terminated-and-reset': () => terminatedAt('createOrder'),
  unreadable,
}

async function record([path, take]: [string, () => Promise<string>]): Promise<void> {
  const id = await take()
  const { status } = await shop.endOf(id, deadlineMs)
  await shop.handleOf(id).result()
  const history = historyToJSON(await shop.handleOf(id).fetchHistory())
    // Which machine recorded it, and where, is nobody's business.
    .replace(/"\d+@[^"]*"/g, '"worker"')
    .replaceAll(checkout, '')
  await writeFile(join(folder, `${path}.${release}.json`), `${history}\n`)
  console.log(`${path}: ${status}`)
}

try {
  await Promise.all(Object.entries(paths).map(record))
} finally {
  await shop.close()
}

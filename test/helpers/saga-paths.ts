import {
  type AnyCommandName,
  type CommandName,
  commandSteps,
  type DoName,
  doNames,
} from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { agree, holdAt, type Participant, type TestOrchestrator } from './orchestrator.ts'
import { buildPurchase } from './purchases.ts'

const deadlineMs = 120_000

/** Takes a purchase along one path, and answers with its id. */
type Path = (shop: TestOrchestrator) => Promise<string>

function refusing(refused: CommandName): Participant {
  return async (command, attempt) =>
    command === refused ? { outcome: 'rejected', reason: 'invalid' } : agree(command, attempt)
}

function silent(...asked: AnyCommandName[]): Participant {
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

const buy =
  (participant?: () => Participant): Path =>
  (shop) =>
    shop.buy(participant?.())

function cancelAt(command: CommandName, { byTemporal = false } = {}): Path {
  return async (shop) => {
    const { participant, release } = holdAt(command)
    const accepted = buildPurchase()
    const id = await shop.buy(participant, accepted)
    await shop.asked(id, command)
    if (byTemporal) await shop.handleOf(id).cancel()
    else await shop.cancel(accepted)
    release()
    return id
  }
}

async function cancelBefore(shop: TestOrchestrator): Promise<string> {
  const accepted = buildPurchase()
  await shop.cancel(accepted)
  return accepted.purchase_id
}

/** Undos without an answer; then an operator acts. */
function stuckThen(action: 'retry' | 'resolve'): Path {
  return async (shop) => {
    const undos = silent('refundPayment', 'releaseStock')
    const id = await shop.buy(async (command, attempt) =>
      command === 'takePayment'
        ? { outcome: 'rejected', reason: 'payment_declined' }
        : undos(command, attempt),
    )
    await waitFor('the stuck undos', () => shop.flagsOf(id).length > 0, deadlineMs)
    const { step } = commandSteps.refundPayment
    if (action === 'resolve') {
      await shop.operate('POST', `/sagas/${id}/resolve`, { step, note: 'refunded by hand' })
    }
    shop.answer(id, agree)
    await shop.operate('POST', `/sagas/${id}/retry`, {})
    return id
  }
}

function terminatedAt(command: CommandName): Path {
  return async (shop) => {
    const { participant, release } = holdAt(command)
    const id = await shop.buy(participant)
    await shop.asked(id, command)
    await shop.handleOf(id).terminate('by mistake')
    await waitFor('the reset', () => shop.actionsOf(id).length > 0, deadlineMs)
    release()
    return id
  }
}

async function unreadable(shop: TestOrchestrator): Promise<string> {
  const id = buildPurchase().purchase_id
  const headers = { event: 'purchaseAccepted', purchase_id: id }
  await shop.kafka.publish('purchases', { key: id, headers, value: '{}' })
  return id
}

/** The name of the path on which a step is refused. */
const refusals: Record<DoName, string> = {
  reserveStock: 'out-of-stock',
  createOrder: 'order-refused',
  takePayment: 'declined',
}

const eachStep = (pathsOf: (name: DoName, step: string) => Record<string, Path>) =>
  Object.assign({}, ...doNames.map((name) => pathsOf(name, commandSteps[name].step)))

/** Every path that a purchase can take. Each leads to a purchase that ends. */
export const sagaPaths: Record<string, Path> = {
  happy: buy(),
  ...eachStep((name, step) => ({
    [refusals[name]]: buy(() => refusing(name)),
    [`${step}-timeout`]: buy(() => silent(name)),
    [`cancelled-at-${step}`]: cancelAt(name),
  })),
  'late-reply': buy(() => late('createOrder')),
  'cancelled-before-start': cancelBefore,
  'cancelled-by-temporal': cancelAt('createOrder', { byTemporal: true }),
  'needs-attention-retried': stuckThen('retry'),
  'needs-attention-resolved': stuckThen('resolve'),
  'terminated-and-reset': terminatedAt('createOrder'),
  unreadable,
}

import { createHash } from 'node:crypto'
import { type CommandName, commandSteps } from '../shared/contracts/steps.ts'
import { keptReferences } from './ledger-money.ts'
import type { LedgerRow } from './provider-ledger.ts'
import type { PaymentRow, PurchaseRecords, PurchaseRow } from './records.ts'
import { hasEnded, type Problem } from './rules.ts'
import type { Saga } from './sagas.ts'

/** What can be done to a purchase by itself. Each may be repeated. */
export type Action =
  /** The step again, with the command that its saga sent. `reference`: under which the provider knows the payment. */
  | { act: 'command'; name: CommandName; reference?: string }
  /** Gives back at the provider what is left of a capture. */
  | { act: 'refund'; reference: string }
  /** Has the end announced again, so that order and product settle. */
  | { act: 'ask' }

/** A purchase that differs, as the reconciler has seen it. */
export type Differing = {
  one: PurchaseRecords
  problems: Problem[]
  saga: Saga
  /** The commands that participants have answered, or refuse for good. */
  settled: ReadonlySet<string>
  /** Products of its lines that the database of products does not have. */
  lostProducts: ReadonlySet<string>
}
export type Item = { purchaseId: string; differs: string[]; actions: Action[] }
/** A purchase that needs a decision by a person. */
export type Undecided = { purchaseId: string; differs: string[]; why: string }
type Sorted = { items: Item[]; undecided: Undecided[] }
/** `id` names exactly these items. `further`: purchases that differ as well, and are not in it. */
export type Plan = Sorted & { id: string; further: number }

type Decision = Action[] | { why: string }
type Known = PurchaseRecords & { purchase: PurchaseRow }

const person = (why: string): Decision => ({ why })
const command = (name: CommandName): Action => ({ act: 'command', name })
/** What no command changes. */
const beyondRepair = ['amounts and lines agree', 'refunds: returned, put back, shown']
const idLength = 12
/** So that a plan fits in memory: those beyond it are in the next. */
const defaultLimits = { items: 20_000, undecided: 20_000 }

/** Collects a plan as purchases that differ are found, in the order of their ids, however many there are. */
export function createPlan(limits = defaultLimits) {
  const items: Item[] = []
  const undecided: Undecided[] = []
  let further = 0

  return {
    isFull: () => items.length >= limits.items,

    /** Purchases that a person decides about take no place of those that can be repaired. */
    add(sorted: Sorted): void {
      const repaired = sorted.items.slice(0, limits.items - items.length)
      const named = sorted.undecided.slice(0, Math.max(0, limits.undecided - undecided.length))
      items.push(...repaired)
      undecided.push(...named)
      further += sorted.items.length - repaired.length + sorted.undecided.length - named.length
    },

    /** Counts purchases for which there is no place, without a look at them. */
    skip(count: number): void {
      further += count
    },

    /** `others`: what else needs a decision, of purchases that are not in it yet. */
    end(others: Undecided[]): Plan {
      const known = new Set([...items, ...undecided].map(({ purchaseId }) => purchaseId))
      for (const one of others) {
        if (known.has(one.purchaseId)) continue
        known.add(one.purchaseId)
        undecided.push(one)
      }
      return { id: idOf(items), items, undecided, further }
    },
  }
}

/** Decides about each: what is safe by the ways that the shop has anyway, and what is left for a person. */
export function sortOut(differing: Differing[]): Sorted {
  const items: Item[] = []
  const undecided: Undecided[] = []
  for (const each of differing) {
    const purchaseId = each.one.id
    const differs = each.problems.map(({ what }) => what.join(', '))
    const decision = decide(each)
    if ('why' in decision) undecided.push({ purchaseId, differs, why: decision.why })
    else items.push({ purchaseId, differs, actions: decision })
  }
  return { items, undecided }
}

/** The same items have the same id, in any order. */
function idOf(items: Item[]): string {
  const lines = items.map(({ purchaseId, actions }) => JSON.stringify([purchaseId, actions]))
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex').slice(0, idLength)
}

/** What is to be done about one purchase. */
export function decide(each: Differing): Decision {
  const { one, problems, saga } = each
  const { purchase } = one
  if (!purchase) return ofStray(one, saga)
  const known: Known = { ...one, purchase }
  if (!hasEnded(purchase)) {
    return person('it has not ended: wait for its saga, or retry it in the console')
  }
  if (saga.state === 'RUNNING' || saga.state === 'FAILED') {
    return person('its saga has not returned: a sweep restarts it; look again after that')
  }
  if (saga.state === 'COMPLETED' && saga.result !== purchase.status) {
    return person(`its saga returned ${saga.result}: compare its history with each service`)
  }
  if (purchase.status === 'RESOLVED') return person('an operator has resolved it: read the audit')
  const check = problems.find((problem) => beyondRepair.includes(problem.check))
  if (check) return person('compare the amounts and refunds with the provider')
  return purchase.status === 'COMPLETED' ? ofCompleted(known, each) : ofUndone(known, each)
}

/** Only the provider knows of it: a purchase of a time that was lost with a restore of everything. */
function ofStray({ order, payment, holds, ledger }: PurchaseRecords, saga: Saga): Decision {
  if (order || payment || holds.length > 0 || saga.state !== 'missing') {
    return person('its purchase row is lost: look for it in a newer backup of purchase_db')
  }
  const kept = keptReferences(ledger)
  if (kept.length === 0) return person('nothing is to be returned')
  return kept.map((reference) => ({ act: 'refund', reference }))
}

function ofCompleted(known: Known, { settled, lostProducts }: Differing): Decision {
  const { id, order, payment, holds, ledger } = known
  const actions: Action[] = []
  if (holds.length === 0) {
    // A hold that is sold again would contradict the refund.
    const isPutBack = payment?.refunds.some(
      ({ status, product_ids }) => status !== 'FAILED' && product_ids.length > 0,
    )
    if (isPutBack) return person('a refund has put its stock back: only its holds are lost')
    if (known.purchase.lines.some(({ product_id }) => lostProducts.has(product_id))) {
      return person('a product of it is lost: there is no stock to reserve')
    }
    actions.push(command('reserveStock'))
  } else if (holds.some(({ status }) => status === 'RELEASED')) {
    return person('its stock was released: decide whether the customer still gets it')
  }
  if (!order) actions.push(command('createOrder'))
  else if (order.status === 'CANCELLED') return person('its order was cancelled: ask the customer')
  if (payment?.status !== 'CAPTURED') {
    const [reference, ...others] = keptReferences(ledger)
    if (!reference || others.length > 0) return person('find its money at the provider')
    if (payment && payment.status !== 'PENDING') {
      return person(`its payment is ${payment.status}: compare it with the provider`)
    }
    if (ledger.some(({ kind }) => kind === 'REFUND')) {
      return person('its refunds are lost: see them at the provider')
    }
    actions.push({ act: 'command', name: 'takePayment', reference })
  } else {
    const kept = keptReferences(ledger)
    if (payment.refunds.length === 0 && !kept.includes(payment.reference ?? '')) {
      return person('find its money at the provider')
    }
    const others = kept.filter((each) => each !== payment.reference)
    actions.push(...others.map((reference): Action => ({ act: 'refund', reference })))
  }
  const refused = refusedOf(id, actions, settled)
  if (refused) return person(`${refused} was refused before: do it by hand, or refund the payment`)
  const isSettled = order?.status === 'CONFIRMED' && holds.every(({ status }) => status !== 'HELD')
  if (!isSettled || holds.length === 0) actions.push({ act: 'ask' })
  return actions.length > 0 ? actions : person('compare its lines with its holds and its order')
}

function ofUndone(known: Known, { settled }: Differing): Decision {
  const { id, order, payment, holds, ledger } = known
  if (
    order?.status === 'CONFIRMED' ||
    holds.some(({ status }) => status !== 'HELD' && status !== 'RELEASED')
  ) {
    return person('it looks delivered: decide whether the customer keeps it')
  }
  const money = undoneMoney(id, payment, ledger, settled)
  if ('why' in money) return money
  const actions = [
    ...money,
    ...(order?.status === 'PENDING' ? [command('cancelOrder')] : []),
    ...(holds.some(({ status }) => status === 'HELD') ? [command('releaseStock')] : []),
  ]
  if (actions.length === 0) return person('compare it with the provider')
  const refused = refusedOf(id, actions, settled)
  return refused ? person(`${refused} was answered before: see its inbox and the log`) : actions
}

/**
 * A payment of an undone purchase. One whose row or reference is lost gets it back, and is undone again: an undo without
 * a reference asks the provider for nothing.
 */
function undoneMoney(
  id: string,
  payment: PaymentRow | undefined,
  ledger: LedgerRow[],
  settled: ReadonlySet<string>,
): Decision {
  const isOpen = payment?.status === 'PENDING' || payment?.status === 'CAPTURED'
  if (payment && !isOpen) return []
  if (payment && payment.refunds.length > 0) {
    return person('it has refunds: compare them with the provider')
  }
  const [reference, ...others] = [...new Set(ledger.map((row) => row.reference))]
  if (payment?.reference || !reference) return payment ? [command('refundPayment')] : []
  if (others.length > 0) return person('the provider knows more than one payment of it')
  if (!settled.has(commandIdOf(id, 'takePayment'))) {
    return [{ act: 'command', name: 'takePayment', reference }, command('refundPayment')]
  }
  return keptReferences(ledger).map((each): Action => ({ act: 'refund', reference: each }))
}

const commandIdOf = (id: string, name: CommandName) => `${id}/${commandSteps[name].step}`

/** The first step whose participant would only repeat an answer. */
function refusedOf(
  id: string,
  actions: Action[],
  settled: ReadonlySet<string>,
): string | undefined {
  const names = actions.flatMap((action) => (action.act === 'command' ? [action.name] : []))
  const refused = names.find((name) => settled.has(commandIdOf(id, name)))
  return refused && commandSteps[refused].step
}

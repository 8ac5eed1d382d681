import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Caller } from '../../shared/auth.ts'
import { createBatchedRead } from '../../shared/batched-read.ts'
import { createBatchedWrite } from '../../shared/batched-write.ts'
import { commands } from '../../shared/contracts/commands.ts'
import type {
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
} from '../../shared/contracts/events.ts'
import { page } from '../../shared/contracts/list.ts'
import type {
  AcceptedPurchase,
  CreatePurchase,
  Purchase,
  PurchaseEvent,
} from '../../shared/contracts/purchase.ts'
import { AppError, unprocessable } from '../../shared/errors.ts'
import type { EventStream } from '../../shared/event-streams.ts'
import type { GrpcClient } from '../../shared/grpc.ts'
import { newId } from '../../shared/ids.ts'
import type { Logger } from '../../shared/logger.ts'
import { type Publish, sendEvent } from '../../shared/messages.ts'
import { createAcceptedEvents } from './accepted-events.ts'
import type { Answer, Answers } from './answers.ts'
import type { ProgressFeed } from './progress-feed.ts'
import type { NewPurchase, Progress, PurchaseRow, Repository } from './repository.ts'
import { acceptance, hasEnded, statusOf, toAccepted, toPurchase } from './views.ts'

type Deps = {
  repository: Repository
  accounts: GrpcClient<'auth'>
  products: GrpcClient<'product'>
  sagas: Pick<GrpcClient<'saga'>, 'Cancel'>
  publish: Publish
  /** In front of the repository; without them it is asked for every key. */
  answers?: Answers
  /** Tells live readers, and is told what changed. */
  feed: ProgressFeed
  currencyCode: string
  /** How long a purchase may stand still. */
  overdueMs: number
  requireVerifiedEmail: boolean
  logger: Logger
}

/** Older than any request to cancel that is still under way. */
const undeliveredAfterMs = 3_000
/** A saga returns right behind its payment, and its end is read a moment later. */
const endMissingAfterMs = 10_000
/** One question for an end is enough for this long: it may wait in Kafka behind a crowd of purchases. */
const endAskedForMs = 30_000
const sweepBatch = 200
/** Steps of progress wait this long for others, so that they cost the database a statement for many. */
const progressLingerMs = 50

export function createPurchaseService(deps: Deps) {
  const { repository, logger } = deps
  const events = createAcceptedEvents(deps)
  const asked = new LRUCache<string, true>({ max: sweepBatch * 10, ttl: endAskedForMs })

  const readPrice = createBatchedRead(async (product_ids) => {
    const { products } = await deps.products.GetProducts({ product_ids })
    return new Map(products.map((product) => [product.id, product]))
  })
  const readSession = createBatchedRead(async (tokens) => {
    const asked = tokens.map((access_token) => deps.accounts.Authenticate({ access_token }))
    const answers = await Promise.allSettled(asked)
    return new Map(tokens.map((token, index) => [token, answers[index]]))
  })
  const insert = createBatchedWrite(async (purchases: NewPurchase[]) => {
    const stored = await repository.insert(purchases)
    return purchases.map(({ accepted }) => stored.has(accepted.purchase_id))
  })
  const addStep = createBatchedWrite(
    async (steps: Progress[]) => {
      await repository.addProgress(steps)
      return steps.map(() => undefined)
    },
    { lingerMs: progressLingerMs },
  )
  const endOne = createBatchedWrite(async (ends: PurchaseEnded[]) => {
    const ended = await repository.end(ends)
    return ends.map(({ purchase_id }) => ended.has(purchase_id))
  })

  async function create(
    caller: Caller,
    body: CreatePurchase,
    idempotencyKey?: string,
  ): Promise<AcceptedPurchase> {
    if (body.payment.currency_code !== deps.currencyCode) {
      throw unprocessable('payment.currency_code', `must be ${deps.currencyCode}`)
    }
    const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex')
    const authenticated = authenticate(caller)
    if (idempotencyKey !== undefined) {
      const [kept] = await Promise.all([
        deps.answers?.find(caller.accountId, idempotencyKey),
        authenticated,
      ])
      if (kept) return repeated(kept, bodyHash)
    }
    const [priced] = await Promise.allSettled([price(body.order_items), authenticated])
    await authenticated
    if (priced.status === 'rejected') {
      // A repeat is answered as the first time, whatever has become of the products.
      const first = await findStored(caller.accountId, idempotencyKey)
      if (first) return repeated(first, bodyHash)
      throw priced.reason
    }
    const { lines, amount } = priced.value
    const accepted: PurchaseAccepted = {
      purchase_id: newId(),
      customer_id: caller.accountId,
      lines,
      amount,
      currency_code: deps.currencyCode,
      payment_method: body.payment.method,
    }
    const key = idempotencyKey ?? null
    if (!(await insert({ accepted, idempotencyKey: key, bodyHash }))) {
      const first = await findStored(caller.accountId, idempotencyKey)
      if (!first) throw new AppError('unavailable', 'the purchase could not be stored; try again')
      return repeated(first, bodyHash)
    }
    const answer = acceptance({
      id: accepted.purchase_id,
      amount: BigInt(accepted.amount),
      currencyCode: accepted.currency_code,
    })
    if (idempotencyKey !== undefined) {
      deps.answers?.keep(caller.accountId, idempotencyKey, { bodyHash, accepted: answer })
    }
    await events.publish(accepted)
    return answer
  }

  /** Asks account whether the caller may buy: the token may be good and its session ended. */
  async function authenticate({ token }: Caller): Promise<void> {
    const answer = await readSession(token)
    if (answer?.status !== 'fulfilled') throw answer?.reason
    if (deps.requireVerifiedEmail && !answer.value.email_verified) {
      throw new AppError('forbidden', 'verify your email address first')
    }
  }

  /** What the customer's first request with this key was answered, by the row that it left. */
  async function findStored(customerId: string, idempotencyKey?: string) {
    if (idempotencyKey === undefined) return undefined
    const row = await repository.findByKey(customerId, idempotencyKey)
    if (!row) return undefined
    const first = toFirst(row)
    deps.answers?.keep(customerId, idempotencyKey, first)
    return first
  }

  /** The merged lines with today's names and prices, and their sum. Ids are compared as the database writes them. */
  async function price(items: CreatePurchase['order_items']) {
    const quantities = new Map<string, number>()
    for (const { product_id, quantity } of items) {
      const id = product_id.toLowerCase()
      quantities.set(id, (quantities.get(id) ?? 0) + quantity)
    }
    const products = await Promise.all([...quantities.keys()].map(readPrice))
    const lines = [...quantities].map(([product_id, quantity], position) => {
      const product = products[position]
      if (!product) {
        const index = items.findIndex((item) => item.product_id.toLowerCase() === product_id)
        throw unprocessable(`order_items.${index}.product_id`, 'there is no such product')
      }
      return { product_id, quantity, name: product.name, unit_price: product.price }
    })
    return { lines, amount: total(lines) }
  }

  /**
   * Tells the saga what the customer wants. False when the purchase ends otherwise; while nobody answers the wish
   * stays on the row, for the sweep.
   */
  async function deliverCancel(row: PurchaseRow): Promise<boolean> {
    let verdict: string
    try {
      verdict = (await deps.sagas.Cancel(toAccepted(row))).verdict
    } catch (err) {
      logger.warn({ err, purchase_id: row.id }, 'wish to cancel waits for the sweep')
      return true
    }
    const granted = verdict === 'CANCELLING' || verdict === 'CANCELLED'
    await repository.cancelDelivered(row.id, granted)
    logger.info({ purchase_id: row.id, verdict }, 'wish to cancel delivered')
    return granted
  }

  return {
    create: (...request: Parameters<typeof create>) => events.serve(() => create(...request)),
    notePublished: events.notePublished,
    publishMissing: events.publishMissing,
    close: events.close,

    /** What is not paid for yet is undone. A wish that comes while the payment is taken lets that decide. */
    async cancel(customerId: string, id: string): Promise<AcceptedPurchase> {
      const row = await repository.requestCancel(id, customerId)
      if (!row) throw new AppError('not_found', 'no such purchase')
      const granted = hasEnded(row)
        ? row.status === 'CANCELLED'
        : row.cancelDeliveredAt !== null || (await deliverCancel(row))
      if (!granted) throw new AppError('conflict', 'the purchase is beyond cancelling')
      return { ...acceptance(row), status: statusOf(row) }
    },

    cancelWished: (ids: string[]): Promise<string[]> => repository.cancelWished(ids),

    /** Tells sagas of wishes to cancel that they have not heard of, e.g. because Temporal was away. */
    async deliverCancels(): Promise<void> {
      const rows = await repository.undeliveredCancels(undeliveredAfterMs, sweepBatch)
      for (const row of rows) await deliverCancel(row)
    },

    /**
     * A purchase that stands still may have no saga, or one that has ended unheard: its event is published again, and
     * its end asked for. Whoever has both does nothing.
     */
    async askAfterOverdue(): Promise<void> {
      for (const row of await repository.unmoved(deps.overdueMs, sweepBatch)) {
        logger.warn({ purchase_id: row.id }, 'purchase stands still')
        await events.publishNow(toAccepted(row))
        await sendEvent(deps.publish, 'settlementOverdue', { purchase_id: row.id })
      }
    },

    /** Asks for the ends of paid purchases that do not come, since who was to announce them died. */
    async askForEnds(): Promise<void> {
      const ids = await repository.paidUnended(endMissingAfterMs, sweepBatch)
      for (const purchase_id of ids.filter((id) => !asked.has(id))) {
        await sendEvent(deps.publish, 'settlementOverdue', { purchase_id })
        asked.set(purchase_id, true)
        logger.warn({ purchase_id }, 'end of purchase asked for')
      }
    },

    flag: (id: string) => repository.flag(id),
    noteAction: (acted: OperatorActed) => repository.addAction(acted),

    async listActions(id: string) {
      const rows = await repository.listActions(id)
      return {
        items: rows.map(({ actionId, operator, action, step, note, at }) => ({
          action_id: actionId,
          operator,
          action: action as OperatorActed['action'],
          step,
          note,
          at: at.toISOString(),
        })),
      }
    },

    async getOwn(customerId: string, id: string): Promise<Purchase> {
      const row = await repository.findOwn(id, customerId)
      if (!row) throw new AppError('not_found', 'no such purchase')
      return toPurchase(row)
    },

    async listOwn(customerId: string, query: { limit: number; cursor?: string | undefined }) {
      const rows = await repository.listOwn(customerId, { ...query, limit: query.limit + 1 })
      const { items, next_cursor } = page(rows, query.limit)
      return { items: items.map(toPurchase), next_cursor }
    },

    /** How a purchase goes on, behind the event `after`, until it has ended or `signal` is aborted. */
    async watchOwn(
      customerId: string,
      id: string,
      after: number,
      signal: AbortSignal,
    ): Promise<EventStream<PurchaseEvent>> {
      const known = await deps.feed.read(id)
      if (known?.customerId !== customerId) throw new AppError('not_found', 'no such purchase')
      return deps.feed.watch(known, after, signal)
    },

    async addProgress(progress: Progress): Promise<void> {
      await addStep(progress)
      deps.feed.note(progress.purchaseId)
    },

    /** The step that ended the purchase shows, also when it was never answered. */
    async end(ended: PurchaseEnded): Promise<void> {
      const failed = Object.values(commands).find(({ step }) => step === ended.failed_step)
      if (failed && ended.status === 'REJECTED') {
        await addStep({
          purchaseId: ended.purchase_id,
          sequence: failed.sequence,
          name: failed.step,
          outcome: 'rejected',
          reason: ended.reason,
          at: new Date(),
        })
      }
      const changed = await endOne(ended)
      deps.feed.note(ended.purchase_id)
      logger.info(
        { purchase_id: ended.purchase_id, status: ended.status, changed },
        'purchase ended',
      )
    },
  }
}

export type PurchaseService = ReturnType<typeof createPurchaseService>

function total(lines: PurchaseAccepted['lines']): number {
  const amount = lines.reduce((sum, line) => sum + line.quantity * line.unit_price, 0)
  if (!Number.isSafeInteger(amount)) throw unprocessable('order_items', 'the amount is too large')
  return amount
}

/** The same key with the same body gets the first answer; with another body it is a mistake of the client. */
function repeated(first: Answer, bodyHash: string): AcceptedPurchase {
  if (first.bodyHash === bodyHash) return first.accepted
  throw unprocessable('idempotency-key', 'was used for another body')
}

function toFirst(row: PurchaseRow): Answer {
  return { bodyHash: row.bodyHash, accepted: acceptance(row) }
}

import { createHash } from 'node:crypto'
import { PurchaseAccepted } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { formatAmount } from '../../shared/contracts/money.ts'
import type {
  AcceptedPurchase,
  CreatePurchase,
  PurchaseDelivery,
} from '../../shared/contracts/purchase.ts'
import { createBatchedRead } from '../../shared/database/batched-read.ts'
import { createBatchedWrite } from '../../shared/database/batched-write.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import type { ProductMessage } from '../../shared/grpc/services.ts'
import type { Caller } from '../../shared/http/auth.ts'
import { rememberTrace } from '../../shared/messaging/traces.ts'
import { AppError, unprocessable } from '../../shared/runtime/errors.ts'
import type { IdempotencyCache, StoredResponse } from './idempotency-cache.ts'
import type { PurchaseMetrics } from './metrics.ts'
import type { NewPurchase, StartLimits } from './queue-repository.ts'
import type { Repository } from './repository.ts'
import type { UnfinishedLimits } from './unfinished.ts'
import { acceptance } from './views.ts'

type Deps = {
  repository: Pick<Repository, 'insert' | 'findByKey'>
  products: Pick<GrpcClient<'product'>, 'GetProducts'>
  accounts: Pick<GrpcClient<'auth'>, 'GetDeliveries'>
  /** A cache in front of the repository, which otherwise is queried for every key. */
  idempotencyCache?: IdempotencyCache
  publishAccepted: (accepted: PurchaseAccepted) => Promise<void>
  unfinished: Pick<UnfinishedLimits, 'refusal' | 'refuseCustomer'>
  startLimits: StartLimits
  maxUnfinishedPerCustomer: number
  metrics: Pick<PurchaseMetrics, 'accepted'>
  currencyCode: string
  requireVerifiedEmail: boolean
}

type Items = CreatePurchase['order_items']

/** Accepts purchases: the customer, the lines and their prices, stored once per idempotency key. */
export function createCheckout(deps: Deps) {
  const { repository, idempotencyCache } = deps

  const readProduct = createBatchedRead(async (product_ids) => {
    const { products } = await deps.products.GetProducts({ product_ids })
    return new Map(products.map((product) => [product.id, product]))
  })
  const readDelivery = createBatchedRead(async (account_ids) => {
    const { deliveries } = await deps.accounts.GetDeliveries({ account_ids })
    return new Map(deliveries.map(({ account_id, ...delivery }) => [account_id, delivery]))
  })
  const insert = createBatchedWrite(
    async (purchases: NewPurchase[]) => {
      const became = await repository.insert(
        purchases,
        deps.maxUnfinishedPerCustomer,
        deps.startLimits,
      )
      return purchases.map(({ accepted }) => became.get(accepted.purchase_id))
    },
    {
      bytesOf: ({ accepted, delivery }) =>
        bytesOf(accepted.lines) + Buffer.byteLength(delivery.address),
    },
  )

  /** The response to the customer's first request with this key, by the row that it left. */
  async function findStored(customerId: string, idempotencyKey?: string) {
    if (idempotencyKey === undefined) return undefined
    const row = await repository.findByKey(customerId, idempotencyKey)
    if (!row) return undefined
    const first = { bodyHash: row.bodyHash, accepted: acceptance(row) }
    idempotencyCache?.store(customerId, idempotencyKey, first)
    return first
  }

  /**
   * The merged lines with today's names and prices, whose they are, and their sum, which must be the expected one if
   * there is one.
   */
  async function price({ order_items: items, expected_amount: expected }: CreatePurchase) {
    const offered = await Promise.all(
      [...mergeLines(items)].map(async ([product_id, quantity]) => {
        const product = await readProduct(product_id)
        // Now: the saga decides, and may still refuse what is free here.
        const isOffered = product && !product.withdrawn && product.stock >= quantity
        if (!isOffered) throw notOffered(items, product_id, product)
        return { product, quantity }
      }),
    )
    const lines = offered.map(({ product: { id, name, price }, quantity }) => {
      return { product_id: id, quantity, name, unit_price: price }
    })
    const bySeller = Map.groupBy(offered, ({ product }) => product.account_id)
    const sales = [...bySeller].map(([seller_id, own]) => {
      return { seller_id, product_ids: own.map(({ product }) => product.id) }
    })
    // What the contract takes fits into a message, and everyone can read it.
    if (!PurchaseAccepted.shape.lines.safeParse(lines).success) {
      throw unprocessable('order_items', 'the names of the products are too long for one purchase')
    }
    const amount = total(lines)
    if (expected !== undefined && expected !== amount) {
      throw priceChanged(expected, amount, deps.currencyCode)
    }
    return { lines, amount, sales }
  }

  /** Where the purchase goes: the address of this moment, which later changes of the account do not affect. */
  async function deliver(customerId: string): Promise<PurchaseDelivery> {
    const delivery = await readDelivery(customerId)
    if (!delivery) throw new AppError('unauthorized', 'there is no such account any more')
    return delivery
  }

  /** Stores a purchase and has its event published. The first response to a key that was used before. */
  async function accept(
    customerId: string,
    { payment }: CreatePurchase,
    { lines, amount, sales }: Awaited<ReturnType<typeof price>>,
    delivery: PurchaseDelivery,
    bodyHash: string,
    idempotencyKey?: string,
  ): Promise<AcceptedPurchase> {
    const accepted: PurchaseAccepted = {
      purchase_id: newId(),
      customer_id: customerId,
      lines,
      amount,
      currency_code: deps.currencyCode,
      payment_method: payment.method,
    }
    rememberTrace(accepted.purchase_id)
    const became = await insert({
      accepted,
      delivery,
      sales,
      idempotencyKey: idempotencyKey ?? null,
      bodyHash,
    })
    if (became === 'known' || became === 'refused') {
      const first = await findStored(customerId, idempotencyKey)
      if (first) return repeated(first, bodyHash)
      if (became === 'refused') throw deps.unfinished.refuseCustomer(customerId)
      throw new AppError('unavailable', 'the purchase could not be stored; try again')
    }
    if (became) deps.metrics.accepted(became)
    const response = acceptance({
      id: accepted.purchase_id,
      amount: BigInt(amount),
      currencyCode: deps.currencyCode,
    })
    if (idempotencyKey !== undefined) {
      idempotencyCache?.store(customerId, idempotencyKey, { bodyHash, accepted: response })
    }
    if (became === 'released') await deps.publishAccepted(accepted)
    return response
  }

  return {
    /**
     * Accepts a purchase. The same key and body get the first response again. Throws AppError: `forbidden` (the
     * address is not verified), `out_of_stock` with the field, `price_changed` with the amount, `unprocessable` with
     * the field, `too_many_requests` (the customer has too many unfinished purchases), `unavailable` (all have, or a
     * service is).
     */
    async create(
      caller: Caller,
      body: CreatePurchase,
      idempotencyKey?: string,
    ): Promise<AcceptedPurchase> {
      if (body.payment.currency_code !== deps.currencyCode) {
        throw unprocessable('payment.currency_code', `must be ${deps.currencyCode}`)
      }
      if (deps.requireVerifiedEmail && !caller.emailVerified) {
        throw new AppError('forbidden', 'verify your email address first')
      }
      const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest('hex')
      if (idempotencyKey !== undefined) {
        const cached = await idempotencyCache?.find(caller.accountId, idempotencyKey)
        if (cached) return repeated(cached, bodyHash)
      }
      const refusal = deps.unfinished.refusal(caller.accountId)
      if (refusal) {
        const first = await findStored(caller.accountId, idempotencyKey)
        if (first) return repeated(first, bodyHash)
        throw refusal
      }
      const { accountId } = caller
      const [made] = await Promise.allSettled([Promise.all([price(body), deliver(accountId)])])
      if (made.status === 'rejected') {
        // A repeat is answered as the first time, whatever has become of the products.
        const first = await findStored(accountId, idempotencyKey)
        if (first) return repeated(first, bodyHash)
        throw made.reason
      }
      return accept(accountId, body, ...made.value, bodyHash, idempotencyKey)
    },
  }
}

/** About what lines take as JSON: ids, numbers and field names beside the name. */
function bytesOf(lines: PurchaseAccepted['lines']): number {
  return lines.reduce((sum, { name }) => sum + 200 + Buffer.byteLength(name), 0)
}

/** Quantities by product id, each product once. */
function mergeLines(items: Items): Map<string, number> {
  const quantities = new Map<string, number>()
  for (const { product_id, quantity } of items) {
    quantities.set(product_id, (quantities.get(product_id) ?? 0) + quantity)
  }
  return quantities
}

function total(lines: PurchaseAccepted['lines']): number {
  const amount = lines.reduce((sum, line) => sum + line.quantity * line.unit_price, 0)
  if (!Number.isSafeInteger(amount)) throw unprocessable('order_items', 'the amount is too large')
  return amount
}

/** Why a product cannot be bought, under the line that names it first. */
function notOffered(items: Items, productId: string, product?: ProductMessage): AppError {
  const line = `order_items.${items.findIndex((item) => item.product_id === productId)}`
  if (!product) return unprocessable(`${line}.product_id`, 'there is no such product')
  if (product.withdrawn) return unprocessable(`${line}.product_id`, 'is not sold any more')
  const { stock } = product
  const field = `${line}.quantity`
  const rule = stock > 0 ? `must be at most ${stock}, which are in stock` : 'is out of stock'
  return new AppError('out_of_stock', `${field}: ${rule}`, { fields: [{ field, rule }] })
}

function priceChanged(expected: number, amount: number, currencyCode: string): AppError {
  const now = formatAmount(amount, currencyCode)
  return new AppError('price_changed', `the purchase costs ${now} now`, {
    fields: [
      { field: 'expected_amount', rule: `is ${formatAmount(expected, currencyCode)}, not ${now}` },
    ],
    members: { amount, currency_code: currencyCode },
  })
}

/** The same key with the same body gets the first response; with another body it is a mistake of the client. */
function repeated(first: StoredResponse, bodyHash: string): AcceptedPurchase {
  if (first.bodyHash === bodyHash) return first.accepted
  throw unprocessable('idempotency-key', 'was used for another body')
}

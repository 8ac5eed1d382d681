import { type Customer, registerCustomer } from '../scripts/stack/shop-client.ts'
import type { PaymentMethod } from '../shared/contracts/payment.ts'
import type { Product } from '../shared/contracts/product.ts'
import { inParallel } from './in-parallel.ts'
import { onSchedule } from './schedule.ts'

const inventory = 1_000_000

/** A shop of its own to buy in: a customer and the products of a category. */
export type Shop = { customer: Customer; customerId: string; products: Product[] }

/** One POST: when it was sent, how long the answer took, and what it was. */
export type Post = { sentAt: number; ms: number; status: string; purchaseId: string | undefined }

export async function openShop(api: string, productCount: number): Promise<Shop> {
  const customer = await registerCustomer(api)
  const category = await customer.createCategory('Benchmark')
  const names = Array.from({ length: productCount }, (_, index) => `Product ${index + 1}`)
  const products = await inParallel(names, 4, (name, index) =>
    customer.createProduct({
      category_id: category.id,
      name,
      description: name,
      brand_name: 'Benchmark',
      price: 1_000 + index,
      inventory,
    }),
  )
  return { customer, customerId: products[0]?.id_account ?? '', products }
}

/** Buys for a shop's customer: the purchase's number decides what and how, so that a run can be repeated. */
function createBuyer({ customer, products }: Shop, methods: PaymentMethod[]) {
  return (number: number) => {
    const pair = [products[number % products.length], products[(number + 1) % products.length]]
    const order_items = pair.flatMap((product, index) =>
      product ? [{ product_id: product.id, quantity: index + 1 }] : [],
    )
    const method = methods[number % methods.length]
    return post(customer, { order_items, ...(method && { method }) })
  }
}

/**
 * Posts purchases of two products each, `inFlight` at a time; one is in flight until it is answered. Products and
 * payment methods are taken in turn, so that a run can be repeated.
 */
export function postPurchases(
  shop: Shop,
  {
    purchases,
    inFlight,
    methods,
  }: { purchases: number; inFlight: number; methods: PaymentMethod[] },
  onPost: () => void,
): Promise<Post[]> {
  const buy = createBuyer(shop, methods)
  const numbers = Array.from({ length: purchases }, (_, index) => index)
  return inParallel(numbers, inFlight, async (number) => {
    const sentAt = Date.now()
    const started = performance.now()
    const answer = await buy(number)
    onPost()
    return { sentAt, ms: performance.now() - started, ...answer }
  })
}

/**
 * Posts a purchase at each of `times` (ms from now), whether earlier ones are answered or not. A POST counts from when
 * it was due, so that a delay of the client adds to the response time.
 */
export function postOnSchedule(
  shop: Shop,
  { times, methods }: { times: number[]; methods: PaymentMethod[] },
  onPost: () => void,
): Promise<Post[]> {
  const buy = createBuyer(shop, methods)
  const startedAt = Date.now()
  return onSchedule(times, async (number, lateMs) => {
    const started = performance.now()
    const answer = await buy(number)
    onPost()
    const ms = performance.now() - started + lateMs
    return { sentAt: startedAt + (times[number] ?? 0), ms, ...answer }
  })
}

async function post(customer: Customer, body: Parameters<Customer['buy']>[0]) {
  try {
    const { status, body: accepted } = await customer.buy(body)
    return { status: `${status}`, purchaseId: status === 202 ? accepted.purchase_id : undefined }
  } catch (error) {
    return { status: (error as Error).name, purchaseId: undefined }
  }
}

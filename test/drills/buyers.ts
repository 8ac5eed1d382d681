import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../../bench/in-parallel.ts'
import { type Customer, registerCustomer } from '../../scripts/shop-client.ts'
import type { PaymentMethod } from '../../shared/contracts/payment.ts'
import type { Product } from '../../shared/contracts/product.ts'
import { newId } from '../../shared/ids.ts'
import type { Random } from './random.ts'

export type Methods = Partial<Record<PaymentMethod, number>>

export type BuyOptions = {
  purchases: number
  /** Goes on, at a quieter pace, until this has settled. */
  during?: Promise<unknown>
  /** Payment methods with their shares of 1; the rest is sim_ok. */
  methods?: Methods
}

/** A purchase as its buyer saw it; `purchaseId` undefined: refused, or never answered. */
export type Bought = { status: number; tries: number; purchaseId: string | undefined }

const clients = 16
const productCount = 20
const scarceCount = 5
const plenty = 1_000_000
const defaultMethods: Methods = { sim_declined: 0.1, sim_fail_once: 0.05 }
/** Of all clients together, while a drill still has work to do. */
const quietPerSecond = 2
const giveUpAfterMs = 45_000
const retryPauseMs = 250

export type Buyers = Awaited<ReturnType<typeof openBuyers>>

/** Customers, and products of which some are scarce: fewer than `purchases` ask for. */
export async function openBuyers(api: string, random: Random, purchases: number) {
  const registered = Math.min(clients, Math.max(2, Math.ceil(purchases / 4)))
  const seller = await registerCustomer(api)
  const others = Array.from({ length: registered - 1 })
  const customers = [seller, ...(await inParallel(others, 4, () => registerCustomer(api)))]
  const category = await seller.createCategory('Drills')
  const scarce = Math.max(2, Math.ceil(purchases / productCount))

  const addProduct = (inventory: number): Promise<Product> =>
    seller.createProduct({
      category_id: category.id,
      name: `Product ${newId()}`,
      description: 'For a drill',
      brand_name: 'Drill',
      price: random.between(1, 5_000),
      inventory,
    })
  const stock = Array.from({ length: productCount }, (_, i) => (i < scarceCount ? scarce : plenty))
  const products = await inParallel(stock, 4, addProduct)

  function nextBody(methods: Methods) {
    const lines = random.pickSome(products, random.between(1, 3))
    const order_items = lines.map(({ id }) => ({
      product_id: id,
      quantity: random.between(1, 3),
    }))
    return { order_items, method: pickMethod(random, methods) }
  }

  return {
    customers,
    products,
    addProduct,

    /** Everybody buys; each customer keeps on asking under one key until there is an answer. */
    async buy({ purchases, during, methods = defaultMethods }: BuyOptions): Promise<Bought[]> {
      let busy = during !== undefined
      void during?.catch(() => undefined).then(() => (busy = false))
      let left = purchases
      const bought: Bought[] = []
      async function client(customer: Customer) {
        while (left > 0 || busy) {
          if (left > 0) left -= 1
          else await sleep((1_000 * customers.length) / quietPerSecond)
          bought.push(await buyUntilAnswered(customer, nextBody(methods)))
        }
      }
      await Promise.all(customers.map(client))
      return bought
    },
  }
}

/** Nothing at all, or "unavailable" or "too many". */
const noAnswer = (status: number) => status === 0 || status >= 500 || status === 429

/** Asks under one key until the answer is one; `status` 0: none came in time. */
export async function buyUntilAnswered(
  customer: Customer,
  body: Parameters<Customer['buy']>[0],
  asksAgain: (status: number) => boolean = noAnswer,
): Promise<Bought> {
  const idempotencyKey = newId()
  const end = Date.now() + giveUpAfterMs
  for (let tries = 1; ; tries++) {
    const answer = await customer.buy(body, idempotencyKey).catch(() => undefined)
    const status = answer?.status ?? 0
    if (!asksAgain(status) || Date.now() > end) {
      return { status, tries, purchaseId: status === 202 ? answer?.body.purchase_id : undefined }
    }
    await sleep(retryPauseMs)
  }
}

function pickMethod(random: Random, methods: Methods): PaymentMethod {
  let left = random.between(0, 999_999) / 1_000_000
  for (const [method, share] of Object.entries(methods)) {
    left -= share
    if (left < 0) return method as PaymentMethod
  }
  return 'sim_ok'
}

import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../../bench/in-parallel.ts'
import { type Bought, buyUntilAnswered } from '../../scripts/stack/buy-until-answered.ts'
import { type Customer, registerCustomer } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { SimulatedMethod } from '../../shared/contracts/payment.ts'
import type { Product } from '../../shared/contracts/product.ts'
import type { Random } from './random.ts'

export type Methods = Partial<Record<SimulatedMethod, number>>

export type BuyOptions = {
  purchases: number
  /** Continues at a slower pace until this has settled. */
  during?: Promise<unknown>
  /** That pace, of all customers together. */
  perSecond?: number
  /** Payment methods with their shares of 1; the rest is sim_ok. */
  methods?: Methods
}

const clients = 16
const productCount = 20
const scarceCount = 5
export const plenty = 1_000_000
export const defaultMethods: Methods = { sim_declined: 0.1, sim_fail_once: 0.05 }
/** Of all clients together, while a drill still has work to do. */
const quietPerSecond = 2
/** How long a buyer without an answer asks again. */
export const patienceMs = 120_000

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

  function nextBody(methods: Methods, from = products) {
    const lines = random.pickSome(from, random.between(1, 3))
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
    nextBody,

    /** All customers buy; each repeats its request under one key until there is an answer. */
    async buy({
      purchases,
      during,
      perSecond = quietPerSecond,
      methods = defaultMethods,
    }: BuyOptions): Promise<Bought[]> {
      let busy = during !== undefined
      void during?.catch(() => undefined).then(() => (busy = false))
      let left = purchases
      const bought: Bought[] = []
      async function client(customer: Customer) {
        while (left > 0 || busy) {
          if (left > 0) left -= 1
          else await sleep((1_000 * customers.length) / perSecond)
          bought.push(await buyUntilAnswered(customer, nextBody(methods), { patienceMs }))
        }
      }
      await Promise.all(customers.map(client))
      return bought
    },
  }
}

function pickMethod(random: Random, methods: Methods): SimulatedMethod {
  let left = random.between(0, 999_999) / 1_000_000
  for (const [method, share] of Object.entries(methods)) {
    left -= share
    if (left < 0) return method as SimulatedMethod
  }
  return 'sim_ok'
}

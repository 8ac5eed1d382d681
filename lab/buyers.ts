import { setTimeout as sleep } from 'node:timers/promises'
import { buyUntilAnswered, isUnanswered } from '../scripts/stack/buy-until-answered.ts'
import { type Customer, registerCustomer } from '../scripts/stack/shop-client.ts'
import { newId } from '../shared/contracts/ids.ts'
import type { PaymentMethod } from '../shared/contracts/payment.ts'
import type { Product } from '../shared/contracts/product.ts'

const customersInAll = 8
const plenty = 1_000_000
/** A buyer without an answer repeats its request under one key for this long. */
const patienceMs = 60_000
/** Requests of the lab under way at once; a buyer more waits for the next second. */
const maxInFlight = 50
/** Purchases that are kept in mind; a lab that has made more must be started again. */
export const maxPurchases = 5_000

type Answers = { accepted: string[]; refused: number; unanswered: number }

/** Buyers of a shop, all of them of this lab, and what became of their requests. */
export function createBuyers(api: string, methodOf: () => PaymentMethod) {
  const answers: Answers = { accepted: [], refused: 0, unanswered: 0 }
  let opened: Promise<{ customers: Customer[]; category: string; product: Product }> | undefined
  let inFlight = 0
  let stream: { perSecond: number; endsAt: number; stop: AbortController } | undefined

  async function addProduct(seller: Customer, category: string, inventory: number) {
    return seller.createProduct({
      category_id: category,
      name: `Lab ${newId().slice(-8)}`,
      description: 'Bought by the buyers of the failure lab',
      brand_name: 'Lab',
      price: 100,
      inventory,
    })
  }

  async function register() {
    const customers: Customer[] = []
    // One after another: a password costs CPU that the shop needs.
    while (customers.length < customersInAll) customers.push(await registerCustomer(api))
    const [seller] = customers as [Customer]
    const category = (await seller.createCategory('Failure lab')).id
    return { customers, category, product: await addProduct(seller, category, plenty) }
  }

  function open() {
    opened ??= register().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  /** Repeats a request under one key until it has an answer. The id of the purchase, if it was accepted. */
  async function buyOne(
    customer: Customer,
    productId: string,
    method: PaymentMethod,
  ): Promise<string | undefined> {
    const body = { order_items: [{ product_id: productId, quantity: 1 }], method }
    inFlight += 1
    try {
      const { status, purchaseId } = await buyUntilAnswered(customer, body, { patienceMs })
      if (purchaseId !== undefined) answers.accepted.push(purchaseId)
      else if (isUnanswered(status)) answers.unanswered += 1
      else answers.refused += 1
      return purchaseId
    } finally {
      inFlight -= 1
    }
  }

  const isFull = () => answers.accepted.length + inFlight >= maxPurchases

  async function flow({ perSecond, endsAt, stop }: NonNullable<typeof stream>): Promise<void> {
    const { customers, product } = await open()
    const all: Promise<unknown>[] = []
    for (let turn = 0; Date.now() < endsAt && !stop.signal.aborted && !isFull(); turn++) {
      const customer = customers[turn % customers.length]
      if (customer && inFlight < maxInFlight) all.push(buyOne(customer, product.id, methodOf()))
      await sleep(1_000 / perSecond, undefined, { signal: stop.signal }).catch(() => undefined)
    }
    await Promise.all(all)
  }

  return {
    answers,
    isFull,

    /** Resolves when the stream has ended and every request has its answer. */
    async run(perSecond: number, seconds: number): Promise<void> {
      const own = { perSecond, endsAt: Date.now() + seconds * 1_000, stop: new AbortController() }
      stream = own
      try {
        await flow(own)
      } finally {
        if (stream === own) stream = undefined
      }
    },

    stop: () => stream?.stop.abort(),
    running: () => (stream && Date.now() < stream.endsAt ? stream : undefined),

    /** Registers the buyers, so that a tour's first seconds are not spent on that. */
    prepare: async () => void (await open()),

    /** Many buyers at once for few units of one product; the ids of what was accepted. */
    async rush(buyers: number, units: number): Promise<{ productId: string; accepted: string[] }> {
      const { customers, category } = await open()
      const [seller] = customers as [Customer]
      const product = await addProduct(seller, category, units)
      const accepted: string[] = []
      let left = buyers
      const clients = Array.from({ length: Math.min(maxInFlight, buyers) }, async (_, index) => {
        while (left > 0) {
          left -= 1
          const customer = customers[index % customers.length] as Customer
          const id = await buyOne(customer, product.id, 'sim_ok')
          if (id !== undefined) accepted.push(id)
        }
      })
      await Promise.all(clients)
      return { productId: product.id, accepted }
    },

    /** One purchase paid by a method of the simulator. */
    async buy(method: PaymentMethod): Promise<string> {
      const { customers, product } = await open()
      const id = await buyOne(customers[0] as Customer, product.id, method)
      if (id === undefined) throw new Error('the purchase was not accepted')
      return id
    },
  }
}

export type Buyers = ReturnType<typeof createBuyers>

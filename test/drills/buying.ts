import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { inParallel } from '../../bench/in-parallel.ts'
import { connectProviderLedger } from '../../bench/provider-ledger.ts'
import type { Database } from '../../prisma/databases.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import { buyUntilAnswered } from '../../scripts/stack/buy-until-answered.ts'
import { type Customer, registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Product } from '../../shared/contracts/product.ts'
import { commandSteps, doNames } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { patienceMs } from './buyers.ts'
import type { Drill } from './drill.ts'
import type { Rig } from './rig.ts'
import { withDatabase } from './shop-database.ts'

const sameKeyTimes = 100

/** Many buyers at once for few units: exactly as many buyers as units get one. */
async function sellOut(rig: Rig): Promise<void> {
  const units = Math.floor(rig.purchases / 4)
  const { customers, addProduct } = await rig.buyers()
  const product = await addProduct(units)
  const missing = Array.from({ length: rig.purchases - customers.length })
  const { api } = rig.stack.urls
  const others = await inParallel(missing, 4, () => registerCustomer(api))
  const buyers = [...customers, ...others].slice(0, rig.purchases)
  const body = { order_items: [{ product_id: product.id, quantity: 1 }] }
  // A buyer repeats its request after the client's timeout; `note` rejects an error.
  const patience = { patienceMs, asksAgain: (status: number) => status === 0 }
  const answers = await Promise.all(buyers.map((buyer) => buyUntilAnswered(buyer, body, patience)))
  rig.note(answers)
  const refused = answers.filter(({ status }) => status !== 202).length
  const count = async (status: string) =>
    (await rig.rows()).filter((row) => row.status === status).length
  await waitFor(
    'all purchases to end',
    async () => (await count('COMPLETED')) + (await count('REJECTED')) + refused === rig.purchases,
    120_000,
  )
  const completed = await count('COMPLETED')
  const rejected = await count('REJECTED')
  const { body: left } = await request<Product>(api, 'GET', `/products/${product.id}`)
  rig.say(
    `${buyers.length} buyers, ${units} units: ${completed} got one, ${rejected} were rejected and ` +
      `${refused} refused, stock is ${left.inventory}`,
  )
  rig.require(buyers.length === rig.purchases, `${buyers.length} buyers`)
  rig.require(completed === units, `${completed} of ${units} units were sold`)
  rig.require(
    rejected + refused === rig.purchases - units,
    `${rejected} were rejected, ${refused} refused`,
  )
  rig.require(left.inventory === 0, `stock is ${left.inventory}`)
  const stored = await select<{ stock: number; held: number; sold: number }>(
    rig,
    'product',
    'SELECT stock, held, sold FROM products WHERE id = $1',
    product.id,
  )
  const counts = JSON.stringify(stored)
  rig.require(isDeepStrictEqual(stored, [{ stock: 0, held: 0, sold: units }]), `stored: ${counts}`)
}

/** One key, many times at once: one purchase, one payment, equal answers. */
async function repeatOneKey(rig: Rig): Promise<void> {
  const { products } = await rig.buyers()
  const product = products.at(-1) as Product
  for (let round = 0; round < rig.purchases; round++) {
    // A new customer, so that all its records belong to this key.
    const customer = await registerCustomer(rig.stack.urls.api)
    const key = newId()
    const body = { order_items: [{ product_id: product.id, quantity: 1 }] }
    // Where the client's own deadline comes first, it asks again under the key.
    const ask = () => waitFor('an answer', () => customer.buy(body, key), patienceMs)
    const answers = await Promise.all(Array.from({ length: sameKeyTimes }, ask))
    const statuses = [...new Set(answers.map(({ status }) => status))]
    const different = new Set(answers.map((answer) => JSON.stringify(answer.body)))
    const purchaseId = answers[0]?.body.purchase_id ?? ''
    rig.require(statuses.join() === '202', `answered ${statuses.join()}`, [purchaseId])
    rig.require(different.size === 1, `${different.size} different answers`, [purchaseId])
    rig.note([{ status: 202, tries: sameKeyTimes, purchaseId }])
    const { status } = await customer.waitForEnd(purchaseId)
    rig.require(status === 'COMPLETED', `ended ${status}`, [purchaseId])

    const purchases = await select<{ id: string; customer: string }>(
      rig,
      'purchase',
      'SELECT id, customer_id AS customer FROM purchases WHERE idempotency_key = $1',
      key,
    )
    const customerId = purchases[0]?.customer ?? ''
    const payments = await select<{ id: string }>(
      rig,
      'payment',
      'SELECT id FROM payments WHERE customer_id = $1',
      customerId,
    )
    const ids = new Set([...purchases, ...payments].map(({ id }) => id))
    await using open = new AsyncDisposableStack()
    const { provider } = addressesOf(rig.stack)
    const ledger = open.adopt(connectProviderLedger(provider), (it) => it.close())
    await ledger.refresh()
    const captures = ledger.select({ ids: [...ids] }).filter(({ kind }) => kind === 'CAPTURE')
    const found = [purchases.length, payments.length, captures.length]
    rig.require(
      found.join() === '1,1,1',
      `purchases, payments and captures under one key: ${found.join()}`,
      [purchaseId],
    )
  }
  rig.say(`one key ${sameKeyTimes} times at once, ${rig.purchases} times over`)
}

async function select<T>(rig: Rig, database: Database, sql: string, value: string): Promise<T[]> {
  return withDatabase(rig.stack, database, async (db) => (await db.query(sql, [value])).rows)
}

const maxLateRounds = 5
/** When a customer cancels: at once, after each step, and when the purchase has ended. */
const boundaries = ['ACCEPTED', ...doNames.map((name) => commandSteps[name].step), 'END']

async function cancelEverywhere(rig: Rig): Promise<void> {
  // Each command is delayed, so that there is time between the steps.
  const slow = [{ at: 'before-handle', action: 'delay', ms: 400 } as const]
  await rig.inject({ product: slow, order: slow, payment: slow })
  const { customers, products } = await rig.buyers()
  const product = products.at(-1) as Product
  async function buyAndCancel(index: number): Promise<void> {
    const customer = customers[index % customers.length] as Customer
    const boundary = boundaries[index % boundaries.length] as string
    const order_items = [{ product_id: product.id, quantity: 1 }]
    const bought = await buyUntilAnswered(customer, { order_items }, { patienceMs })
    rig.note([bought])
    const id = bought.purchaseId
    if (id === undefined) return
    if (boundary === 'END') await customer.waitForEnd(id)
    else if (boundary !== 'ACCEPTED') {
      const isReached = async () =>
        (await customer.getPurchase(id)).steps.some(({ name }) => name === boundary)
      await waitFor(`${boundary} of ${id}`, isReached, patienceMs)
    }
    const cancel = () =>
      request(rig.stack.urls.api, 'POST', `/purchases/${id}/cancel`, { token: customer.token })
    const answers = [(await cancel()).status, (await cancel()).status]
    const end = await customer.waitForEnd(id)
    const allowed = answers.every((answer) => answer === 202 || answer === 409)
    rig.require(allowed, `cancel at ${boundary} was answered ${answers.join()}`, [id])
    const fits = ['CANCELLED', 'COMPLETED'].includes(end.status)
    rig.require(fits, `cancelled at ${boundary}: ${end.status}`, [id])
    const refused = answers[0] === 409
    if (boundary === 'END') rig.require(refused, 'an end was cancelled', [id])
    rig.require(!refused || end.status === 'COMPLETED', 'refused, and cancelled all the same', [id])
  }
  const count = async () => (await rig.rows()).filter(({ status }) => status === 'CANCELLED').length
  const wanted = Array.from({ length: rig.purchases }, (_, index) => index)
  await inParallel(wanted, 5, buyAndCancel)
  let cancelled = await count()
  // On a busy machine every purchase may be faster than its cancel request.
  for (let round = 0; round < maxLateRounds && cancelled === 0; round++) {
    await buyAndCancel(boundaries.indexOf('ACCEPTED'))
    cancelled = await count()
  }
  rig.say(`${cancelled} of ${rig.purchases} were cancelled in time`)
  rig.require(cancelled > 0, 'nothing was cancelled in time')
}

export const buyingDrills: Drill[] = [
  {
    id: 'F13',
    about: 'three of ten payments are declined',
    purchases: 100,
    short: 20,
    async run(rig) {
      const bought = await rig.buy({ methods: { sim_declined: 0.3 } })
      assert.ok(bought.length > 0)
    },
  },
  {
    id: 'F14',
    about: 'four buyers for each unit there is',
    purchases: 200,
    short: 20,
    run: sellOut,
  },
  {
    id: 'F15',
    about: 'one Idempotency-Key a hundred times at once',
    purchases: 1,
    short: 1,
    run: repeatOneKey,
  },
  {
    id: 'F16',
    about: 'the customer cancels at each step boundary',
    purchases: 100,
    short: 10,
    run: cancelEverywhere,
  },
]

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import type { Order } from '../../shared/contracts/order.ts'
import type { Payment } from '../../shared/contracts/payment.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { Product } from '../../shared/contracts/product.ts'
import type { AcceptedPurchase, Purchase, Sale } from '../../shared/contracts/purchase.ts'
import { commandSteps, doNames } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../helpers/stack.ts'

describe('a purchase, through every service', function () {
  this.timeout(180_000)

  let api: string
  let seller: Customer
  let buyer: Customer
  let categoryId: string

  before(async () => {
    api = (await testStack()).urls.api
    seller = await registerCustomer(api)
    buyer = await registerCustomer(api)
    categoryId = (await seller.createCategory('Phone')).id
  })

  function createProduct(overrides: { inventory?: number; price?: number } = {}) {
    return seller.createProduct({
      category_id: categoryId,
      name: 'Iphone 13',
      description: 'Iphone 13',
      brand_name: 'Apple',
      price: 125,
      inventory: 1000,
      ...overrides,
    })
  }

  async function buy(lines: [Product, number][], method?: string): Promise<Purchase> {
    const order_items = lines.map(([{ id }, quantity]) => ({ product_id: id, quantity }))
    const answer = await buyer.buy({ order_items, ...(method && { method }) })
    return buyer.waitForEnd(expectStatus(answer, 202).purchase_id)
  }

  async function inventoryOf({ id }: Product): Promise<number> {
    return expectStatus(await buyer.get<Product>(`/products/${id}`), 200).inventory
  }

  async function orderOf(purchase: Purchase): Promise<Order> {
    return expectStatus(await buyer.get<Order>(`/orders/${purchase.purchase_id}`), 200)
  }

  async function paymentOf(purchase: Purchase): Promise<Payment> {
    return expectStatus(await buyer.get<Payment>(`/payments/${purchase.purchase_id}`), 200)
  }

  it('completes: stock is sold, the order confirmed with its prices, the payment captured', async () => {
    const first = await createProduct({ price: 125 })
    const second = await createProduct({ price: 150 })

    const purchase = await buy([
      [first, 4],
      [second, 5],
    ])

    assert.equal(purchase.status, 'COMPLETED')
    assert.equal(purchase.amount, 4 * 125 + 5 * 150)
    await waitFor('the order to be confirmed', async () => {
      return (await orderOf(purchase)).status === 'CONFIRMED'
    })
    const order = await orderOf(purchase)
    assert.deepEqual(
      order.lines.map((line) => [line.product_id, line.quantity, line.unit_price]).sort(),
      [
        [first.id, 4, 125],
        [second.id, 5, 150],
      ].sort(),
    )
    const payment = await paymentOf(purchase)
    assert.equal(payment.status, 'CAPTURED')
    assert.equal(payment.amount, purchase.amount)
    assert.equal(await inventoryOf(first), 996)
    assert.equal(await inventoryOf(second), 995)
  })

  it('shows its steps and leads to its order and payment', async () => {
    const product = await createProduct()

    const { purchase_id } = await buy([[product, 1]])

    const purchase = await waitFor('all steps', async () => {
      const shown = await buyer.getPurchase(purchase_id)
      return shown.steps.length === doNames.length && shown
    })
    assert.deepEqual(
      purchase.steps.map(({ name, outcome }) => `${name} ${outcome}`),
      doNames.map((name) => `${commandSteps[name].step} done`),
    )
    for (const link of Object.values(purchase.links)) {
      const path = link.replace('/api/v1', '')
      assert.equal((await buyer.get(path)).status, 200, link)
    }
  })

  it('merges lines of one product', async () => {
    const product = await createProduct({ inventory: 5 })

    const purchase = await buy([
      [product, 2],
      [product, 3],
    ])

    assert.equal(purchase.status, 'COMPLETED')
    assert.deepEqual(
      purchase.lines.map(({ quantity }) => quantity),
      [5],
    )
    assert.equal(await inventoryOf(product), 0)
  })

  it('is refused at once when more is bought than is in stock', async () => {
    const plenty = await createProduct()
    const scarce = await createProduct({ inventory: 3 })
    const order_items = [
      { product_id: plenty.id, quantity: 1 },
      { product_id: scarce.id, quantity: 4 },
    ]

    const { status, body } = await buyer.buy({ order_items })

    assert.equal(status, 409)
    const problem = body as unknown as Problem
    assert.equal(problem.type, 'urn:shop:problem:out-of-stock')
    assert.deepEqual(problem.errors, [
      { field: 'order_items.1.quantity', rule: 'must be at most 3, which are in stock' },
    ])
  })

  it('is rejected when the stock was sold meanwhile, and takes nothing of any line', async () => {
    // Buyers who come together are accepted before the first of them has reserved anything.
    async function buyTogether() {
      const [plenty, scarce] = [await createProduct(), await createProduct({ inventory: 1 })]
      const order_items = [plenty, scarce].map(({ id }) => ({ product_id: id, quantity: 1 }))
      const answers = await Promise.all(Array.from({ length: 8 }, () => buyer.buy({ order_items })))
      const accepted = answers.flatMap(({ status, body }) => (status === 202 ? [body] : []))
      const ends = await Promise.all(
        accepted.map(({ purchase_id }) => buyer.waitForEnd(purchase_id)),
      )
      const sold = ends.filter(({ status }) => status === 'COMPLETED').length
      const late = ends.find(({ status }) => status === 'REJECTED')
      return late && { late, sold, plenty }
    }
    const { late, sold, plenty } = await waitFor('one that came too late', buyTogether, 120_000)

    assert.equal(late.reason, 'out_of_stock')
    assert.equal(late.failed_step, 'reserve-stock')
    assert.equal(sold, 1)
    assert.equal(await inventoryOf(plenty), 999)
    assert.equal((await buyer.get(`/orders/${late.purchase_id}`)).status, 404)
    assert.equal((await buyer.get(`/payments/${late.purchase_id}`)).status, 404)
  })

  it('is undone when its payment is declined: order cancelled, stock back, nothing captured', async () => {
    const product = await createProduct({ inventory: 10 })

    const purchase = await buy([[product, 4]], 'sim_declined')

    assert.equal(purchase.status, 'REJECTED')
    assert.equal(purchase.reason, 'payment_declined')
    assert.equal((await orderOf(purchase)).status, 'CANCELLED')
    assert.equal((await paymentOf(purchase)).status, 'DECLINED')
    assert.equal(await inventoryOf(product), 10)
  })

  it('completes when the payment provider fails once', async () => {
    const product = await createProduct()

    const purchase = await buy([[product, 1]], 'sim_fail_once')

    assert.equal(purchase.status, 'COMPLETED')
    assert.equal((await paymentOf(purchase)).status, 'CAPTURED')
  })

  it('lets exactly one of two buyers have the last item', async () => {
    const product = await createProduct({ inventory: 1 })

    const buyOne = async () => {
      const order_items = [{ product_id: product.id, quantity: 1 }]
      const { status, body } = await buyer.buy({ order_items })
      return status === 202 ? (await buyer.waitForEnd(body.purchase_id)).status : status
    }
    const ends = await Promise.all([buyOne(), buyOne()])

    assert.equal(ends.filter((end) => end === 'COMPLETED').length, 1)
    // The other one is refused at once when it comes after the reservation.
    assert.equal(ends.filter((end) => end === 'REJECTED' || end === 409).length, 1)
    assert.equal(await inventoryOf(product), 0)
  })

  it('keeps the price that the customer saw, whatever happens to it later', async () => {
    const product = await createProduct({ price: 125 })

    const purchase = await buy([[product, 1]])
    const changed = await request(api, 'PUT', `/products/${product.id}`, {
      token: seller.token,
      body: { price: 999 },
    })

    assert.equal(changed.status, 200)
    assert.equal((await orderOf(purchase)).lines[0]?.unit_price, 125)
  })

  it('keeps the delivery address of its moment, whatever the profile says later', async () => {
    const product = await createProduct()
    const mover = await registerCustomer(api)
    const order_items = [{ product_id: product.id, quantity: 1 }]
    const accepted = async () => expectStatus(await mover.buy({ order_items }), 202).purchase_id

    const before = await accepted()
    const moved = await request(api, 'PUT', '/account/customer/personal', {
      token: mover.token,
      body: {
        ...{ first_name: 'Lan', last_name: 'Tran' },
        ...{ address: '7 Hang Bac', phone_number: '0911111111' },
      },
    })
    const after = await accepted()

    assert.equal(moved.status, 200)
    assert.deepEqual((await mover.waitForEnd(before)).delivery, {
      ...{ name: 'Lan Nguyen', address: '123 quan 9', phone_number: '0110213813' },
    })
    assert.deepEqual((await mover.waitForEnd(after)).delivery, {
      ...{ name: 'Lan Tran', address: '7 Hang Bac', phone_number: '0911111111' },
    })
    const sale = expectStatus(await seller.get<Sale>(`/sales/${before}`), 200)
    assert.equal(sale.delivery?.address, '123 quan 9')
  })

  it('answers a repeated Idempotency-Key with the first answer, and buys once', async () => {
    const product = await createProduct({ inventory: 10 })
    const body = {
      order_items: [{ product_id: product.id, quantity: 2 }],
      payment: { currency_code: 'VND' },
    }
    const headers = { 'idempotency-key': randomUUID() }
    const post = (what: unknown) =>
      request<AcceptedPurchase & Pick<Problem, 'errors'>>(api, 'POST', '/purchases', {
        token: buyer.token,
        body: what,
        headers,
      })

    const answers = await Promise.all(Array.from({ length: 20 }, () => post(body)))
    const other = await post({ ...body, order_items: [{ product_id: product.id, quantity: 3 }] })

    const bodies = new Set(answers.map((answer) => JSON.stringify(expectStatus(answer, 202))))
    assert.equal(bodies.size, 1)
    assert.equal(other.status, 422)
    assert.equal(other.body.errors?.[0]?.field, 'idempotency-key')
    await buyer.waitForEnd(answers[0]?.body.purchase_id ?? '')
    assert.equal(await inventoryOf(product), 8)
  })

  it('is nobody else’s to see, nor are its order and payment', async () => {
    const { purchase_id } = await buy([[await createProduct(), 1]])

    for (const path of ['purchases', 'orders', 'payments']) {
      const foreign = await seller.get<Problem>(`/${path}/${purchase_id}`)
      const missing = await seller.get<Problem>(`/${path}/${randomUUID()}`)
      assert.equal(foreign.status, 404, path)
      assert.equal(missing.status, 404, path)
      assert.equal(foreign.body.detail, missing.body.detail, 'the two must not be told apart')
      const listed = await seller.get<{ items: unknown[] }>(`/${path}`)
      assert.deepEqual(expectStatus(listed, 200).items, [])
    }
  })
})

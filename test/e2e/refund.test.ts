import assert from 'node:assert/strict'
import { connectSagas } from '../../bench/sagas.ts'
import { addressesOf } from '../../scripts/stack/addresses.ts'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { RefundSaga } from '../../shared/contracts/operator.ts'
import type { PaymentWithRefunds } from '../../shared/contracts/payment.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { Product } from '../../shared/contracts/product.ts'
import type { Purchase, Sale } from '../../shared/contracts/purchase.ts'
import type { Refund, RefundRecord } from '../../shared/contracts/refund.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { mailsTo } from '../helpers/mailbox.ts'
import { operate } from '../helpers/operator-client.ts'
import { testStack } from '../helpers/stack.ts'

describe('a refund, through every service', function () {
  this.timeout(300_000)

  let api: string
  let seller: Customer
  let buyer: Customer
  let categoryId: string

  before(async () => {
    api = (await testStack()).urls.api
    seller = await registerCustomer(api)
    buyer = await registerCustomer(api)
    categoryId = (await seller.createCategory('Refunds')).id
  })

  const createProduct = (of: Customer, price: number) =>
    of.createProduct({
      category_id: categoryId,
      name: 'Tea pot',
      description: 'Made of clay',
      brand_name: 'Clay',
      price,
      inventory: 10,
    })

  async function buy(...products: Product[]): Promise<Purchase> {
    const order_items = products.map(({ id }) => ({ product_id: id, quantity: 2 }))
    const accepted = expectStatus(await buyer.buy({ order_items }), 202)
    const purchase = await buyer.waitForEnd(accepted.purchase_id)
    assert.equal(purchase.status, 'COMPLETED')
    return purchase
  }

  const ask = <T = Refund>(who: Customer, id: string, body: object, key: string = newId()) =>
    request<T>(api, 'POST', `/payments/${id}/refunds`, {
      token: who.token,
      headers: { 'idempotency-key': key },
      body: { reason: 'It arrived broken', ...body },
    })

  const paymentOf = async (id: string) =>
    expectStatus(await buyer.get<PaymentWithRefunds>(`/payments/${id}`), 200)

  const endOf = (paymentId: string, refundId: string) =>
    waitFor(
      'the refund to end',
      async () => {
        const { refunds } = await paymentOf(paymentId)
        const found = refunds.find(({ id }) => id === refundId)
        return found && !['REQUESTED', 'PROCESSING'].includes(found.status) && found
      },
      60_000,
    )

  const inventoryOf = async ({ id }: Product) =>
    expectStatus(await buyer.get<Product>(`/products/${id}`), 200).inventory

  it('gives a part back, then the rest with the stock, and everyone sees it', async () => {
    const pot = await createProduct(seller, 125)
    const { purchase_id: id } = await buy(pot)
    const key = newId()

    const first = expectStatus(await ask(seller, id, { amount: 100 }, key), 202)
    assert.deepEqual(expectStatus(await ask(seller, id, { amount: 100 }, key), 202).id, first.id)
    const ended = await endOf(id, first.id)
    assert.deepEqual([ended.status, ended.returned, ended.restock], ['COMPLETED', true, false])
    assert.equal(await inventoryOf(pot), 8)

    const rest = expectStatus(await ask(seller, id, { restock: true }), 202)
    assert.equal(rest.amount, 150)
    assert.equal((await endOf(id, rest.id)).status, 'COMPLETED')

    const payment = await paymentOf(id)
    assert.deepEqual([payment.status, payment.refunded_amount], ['CAPTURED', 250])
    await waitFor('the purchase', async () => (await buyer.getPurchase(id)).refunded_amount === 250)
    const sale = expectStatus(await seller.get<Sale>(`/sales/${id}`), 200)
    assert.equal(sale.refunded_amount, 250)
    await waitFor('the stock', async () => (await inventoryOf(pot)) === 10)
    const mails = await waitFor('the mails', async () => {
      const found = (await mailsTo(buyer.email)).filter(({ subject }) => /money back/.test(subject))
      return found.length === 2 && found
    })
    assert.match(mails[0]?.text ?? '', /VND 100 of your purchase/)
    assert.match(mails[1]?.text ?? '', /VND 150 of your purchase/)
    const { status } = await ask<Problem>(seller, id, {})
    assert.equal(status, 409)
  })

  it('is for the seller’s own lines, and for an operator all of it', async () => {
    const other = await registerCustomer(api)
    const [pot, cup] = [await createProduct(seller, 125), await createProduct(other, 1_000)]
    const { purchase_id: id } = await buy(pot, cup)

    const tooMuch = await ask<Problem>(seller, id, { amount: 251 })
    assert.equal(tooMuch.status, 422)
    assert.deepEqual(tooMuch.body.errors, [
      { field: 'amount', rule: 'is more than the 250 that are left to refund' },
    ])
    const own = expectStatus(await ask(seller, id, { restock: true }), 202)
    assert.equal((await endOf(id, own.id)).amount, 250)
    await waitFor('the stock', async () => (await inventoryOf(pot)) === 10)
    assert.equal(await inventoryOf(cup), 8)

    const asked = await operate<RefundRecord>('POST', '/refunds', {
      body: { payment_id: id, reason: 'The seller does not answer' },
      headers: {
        authorization: `Bearer ${(await testStack()).secrets.operatorToken}`,
        'idempotency-key': newId(),
      },
    })
    assert.deepEqual([asked.status, asked.body.amount, asked.body.seller_id], [202, 2_000, null])
    await endOf(id, asked.body.id)
    const { body } = await operate<RefundRecord>('GET', `/refunds/${asked.body.id}`)
    assert.ok(body.provider_reference?.startsWith('re_'))
    const saga = await operate<RefundSaga>('GET', `/refund-sagas/${asked.body.id}`)
    await waitFor('the saga', async () => {
      const { body } = await operate<RefundSaga>('GET', `/refund-sagas/${asked.body.id}`)
      return body.state === 'COMPLETED'
    })
    assert.equal(saga.body.purchase_id, id)
    const listed = await operate<{ items: RefundRecord[] }>('GET', `/refunds?payment_id=${id}`)
    assert.deepEqual(
      listed.body.items.map((refund) => refund.id),
      [asked.body.id, own.id],
    )
  })

  it('has a saga that the reconciler lists, and of which it reads how it ended', async () => {
    const pot = await createProduct(seller, 125)
    const { purchase_id: id } = await buy(pot)
    const refund = expectStatus(await ask(seller, id, {}), 202)
    const { status } = await endOf(id, refund.id)
    const { temporal } = addressesOf(await testStack())
    await using open = new AsyncDisposableStack()
    const sagas = open.adopt(await connectSagas(temporal), (it) => it.close())

    const read = await sagas.readRefunds([refund.id, newId()], 60_000)

    assert.deepEqual(
      [...read.values()],
      [{ state: 'COMPLETED', result: status }, { state: 'missing' }],
    )
    await waitFor('the saga in the list', async () => {
      const pages = await Array.fromAsync(sagas.refundIds(1_000))
      return pages.flat().includes(refund.id)
    })
  })

  it('is refused to the buyer, strangers, and of what was not captured', async () => {
    const pot = await createProduct(seller, 125)
    const { purchase_id: id } = await buy(pot)
    assert.equal((await ask(buyer, id, {})).status, 403)
    assert.equal((await ask(await registerCustomer(api), id, {})).status, 404)
    assert.equal((await ask(seller, newId(), {})).status, 404)
    const order_items = [{ product_id: pot.id, quantity: 1 }]
    const declined = expectStatus(await buyer.buy({ order_items, method: 'sim_declined' }), 202)
    await buyer.waitForEnd(declined.purchase_id)
    assert.equal((await ask(seller, declined.purchase_id, {})).status, 409)
    for (const body of [{ amount: 0 }, { amount: 1.5 }, { restock: 'yes' }, { reason: '' }]) {
      assert.equal((await ask(seller, id, body)).status, 400)
    }
    const keyless = await request<Problem>(api, 'POST', `/payments/${id}/refunds`, {
      token: seller.token,
      body: { reason: 'No key' },
    })
    assert.equal(keyless.status, 400)
  })
})

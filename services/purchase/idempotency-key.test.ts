import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import {
  endOf,
  openPurchaseHttp,
  order,
  type PurchaseHttp,
} from '../../test/helpers/purchase-http.ts'

describe('Idempotency-Key', () => {
  let shop: PurchaseHttp

  before(async () => {
    shop = await openPurchaseHttp()
  })

  after(() => shop.close())

  it('gets the first answer although the price is not the expected one any more', async () => {
    const tea = shop.addProduct(125)
    const [customerId, key] = [newId(), newId()]
    const body = { ...order([tea.id, 2]), expected_amount: 250 }
    const first = await shop.buy(customerId, body, key)
    shop.catalog.set(tea.id, { ...tea, price: 999 })

    const repeated = await shop.buy(customerId, body, key)

    assert.equal(first.status, 202)
    assert.deepEqual(repeated, first)
  })

  it('may be used again with another expected amount after a refusal', async () => {
    const tea = shop.addProduct(125)
    const [customerId, key] = [newId(), newId()]
    const refused = await shop.buy(customerId, { ...order([tea.id, 2]), expected_amount: 1 }, key)

    const { status, body } = await shop.buy(
      customerId,
      { ...order([tea.id, 2]), expected_amount: refused.body.amount },
      key,
    )

    assert.equal(refused.status, 409)
    assert.equal(status, 202)
    assert.equal(body.amount, 250)
  })

  it('gets the first answer for the same body, however it is written and whatever changed', async () => {
    const tea = shop.addProduct(125)
    const [customerId, key] = [newId(), newId()]
    const { order_items, payment } = order([tea.id, 2])
    const first = await shop.buy(customerId, { order_items, payment }, key)
    shop.catalog.set(tea.id, { ...tea, price: 999 })

    const method = 'sim_ok'
    const again = await shop.buy(customerId, { payment: { method, ...payment }, order_items }, key)
    assert.equal(again.status, 202)
    assert.deepEqual(again.body, first.body)
    assert.equal((await shop.request(customerId, '')).body.items.length, 1)
  })

  it('still gets it when the purchase has ended', async () => {
    const [customerId, key] = [newId(), newId()]
    const body = order([shop.addProduct().id, 2])
    const first = await shop.buy(customerId, body, key)
    await shop.service.progress.end(endOf({ id: first.body.purchase_id, customerId }, 'COMPLETED'))
    assert.deepEqual((await shop.buy(customerId, body, key)).body, first.body)
  })

  it('still gets it when a product of it is gone', async () => {
    const tea = shop.addProduct()
    const [customerId, key] = [newId(), newId()]
    const first = await shop.buy(customerId, order([tea.id, 2]), key)
    shop.catalog.delete(tea.id)

    const again = await shop.buy(customerId, order([tea.id, 2]), key)
    const other = await shop.buy(customerId, order([tea.id, 2]), newId())

    assert.deepEqual(again, first)
    assert.equal(other.status, 422)
  })

  it('does not get it with a token that account has revoked since', async () => {
    const [customerId, key] = [newId(), newId()]
    const body = order([shop.addProduct().id, 2])
    await shop.buy(customerId, body, key)
    shop.revoked.add(customerId)
    assert.equal((await shop.buy(customerId, body, key)).status, 401)
  })

  it('is refused for another body', async () => {
    const tea = shop.addProduct()
    const [customerId, key] = [newId(), newId()]
    await shop.buy(customerId, order([tea.id, 2]), key)
    const { status, body } = await shop.buy(customerId, order([tea.id, 3]), key)
    assert.equal(status, 422)
    assert.deepEqual(
      body.errors?.map(({ field }) => field),
      ['idempotency-key'],
    )
  })

  it('is one of its customer: another one may use it too', async () => {
    const key = newId()
    const body = order([shop.addProduct().id, 1])
    const answers = await Promise.all([shop.buy(newId(), body, key), shop.buy(newId(), body, key)])
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202],
    )
    assert.equal(new Set(answers.map((answer) => answer.body.purchase_id)).size, 2)
  })

  it('makes one purchase of twenty requests at once', async () => {
    const [customerId, key] = [newId(), newId()]
    const body = order([shop.addProduct().id, 1])
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => shop.buy(customerId, body, key)),
    )
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    assert.equal(answers[0]?.status, 202)
    const { items } = (await shop.request(customerId, '')).body
    assert.deepEqual(
      items.map((item) => item.purchase_id),
      [answers[0]?.body.purchase_id],
    )
  })

  it('without one, each request is a purchase', async () => {
    const customerId = newId()
    const body = order([shop.addProduct().id, 1])
    await Promise.all([shop.buy(customerId, body), shop.buy(customerId, body)])
    assert.equal((await shop.request(customerId, '')).body.items.length, 2)
  })
})

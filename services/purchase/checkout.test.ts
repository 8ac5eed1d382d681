import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { order } from '../../test/helpers/purchase-http.ts'
import { openPurchaseOnKafka, type PurchaseOnKafka } from '../../test/helpers/purchase-kafka.ts'
import { testDelivery } from '../../test/helpers/purchase-service.ts'

describe('POST /purchases', () => {
  let shop: PurchaseOnKafka

  before(async () => {
    shop = await openPurchaseOnKafka()
  })

  after(() => shop.close())

  it('accepts, computes the amount and says where to see how it goes', async () => {
    const [tea, cup] = [shop.addProduct(125), shop.addProduct(1_000)]
    const customerId = newId()
    const { status, body } = await shop.buy(customerId, order([tea.id, 2], [cup.id, 3]))

    const { purchase_id: id } = body
    assert.equal(status, 202)
    assert.deepEqual(body, {
      purchase_id: id,
      status: 'ACCEPTED',
      amount: 3_250,
      currency_code: 'VND',
      links: {
        self: `/api/v1/purchases/${id}`,
        events: `/api/v1/purchases/${id}/events`,
        cancel: `/api/v1/purchases/${id}/cancel`,
      },
    })
    const [event] = await waitFor(
      'the event',
      () => shop.eventsOf(id).length > 0 && shop.eventsOf(id),
    )
    assert.deepEqual(event?.headers, { event: 'purchaseAccepted', purchase_id: id })
    assert.deepEqual(JSON.parse(event?.value ?? ''), {
      purchase_id: id,
      customer_id: customerId,
      lines: [
        { product_id: tea.id, quantity: 2, name: tea.name, unit_price: 125 },
        { product_id: cup.id, quantity: 3, name: cup.name, unit_price: 1_000 },
      ],
      amount: 3_250,
      currency_code: 'VND',
      payment_method: 'sim_ok',
    })
  })

  it('keeps the names and prices of the moment', async () => {
    const tea = shop.addProduct(125)
    const customerId = newId()
    const { body } = await shop.buy(customerId, order([tea.id, 2]))
    shop.catalog.set(tea.id, { ...tea, name: 'Dear tea', price: 999 })

    const { lines, amount } = await shop.see({ id: body.purchase_id, customerId })
    assert.equal(amount, 250)
    const line = { product_id: tea.id, quantity: 2, name: tea.name, unit_price: 125 }
    assert.deepEqual(lines, [line])
  })

  it('keeps the delivery address of the moment, whatever becomes of the account', async () => {
    const customerId = newId()
    const first = { name: 'Mai Nguyễn', address: '1 Old Street', phone_number: '0900000001' }
    const second = { name: 'Mai Trần', address: '2 New Street', phone_number: '0900000002' }

    shop.deliveries.set(customerId, first)
    const before = await shop.accepted(customerId)
    shop.deliveries.set(customerId, second)
    const after = await shop.accepted(customerId)

    assert.deepEqual((await shop.see(before)).delivery, first)
    assert.deepEqual((await shop.see(after)).delivery, second)
  })

  it('shows purchases from before addresses were kept, without one', async () => {
    const purchase = await shop.accepted()
    await shop.database.query(`UPDATE purchases SET delivery = NULL WHERE id = '${purchase.id}'`)

    assert.equal((await shop.see(purchase)).delivery, null)
  })

  it('sends no address to Kafka', async () => {
    const customerId = newId()
    const address = `${newId()} Street`
    shop.deliveries.set(customerId, { ...testDelivery, address })
    const { id } = await shop.accepted(customerId)

    const [event] = await waitFor(
      'the event',
      () => shop.eventsOf(id).length > 0 && shop.eventsOf(id),
    )

    assert.equal(event?.value?.includes(address), false)
  })

  it('refuses lines of which no message can be made, and names them', async () => {
    const lines = Array.from({ length: 100 }, () => {
      const product = shop.addProduct()
      shop.catalog.set(product.id, { ...product, name: '手'.repeat(12_000) })
      return [product.id, 1] as [string, number]
    })
    const { status, body } = await shop.buy(newId(), order(...lines))

    assert.equal(status, 422)
    assert.deepEqual(
      body.errors?.map(({ field }) => field),
      ['order_items'],
    )
  })

  it('merges the lines of one product, however its id is written', async () => {
    const [tea, cup] = [shop.addProduct(1), shop.addProduct(10)]
    const customerId = newId()
    const { status, body } = await shop.buy(
      customerId,
      order([tea.id, 1], [cup.id, 1], [tea.id.toUpperCase(), 4]),
    )
    assert.equal(status, 202)
    const { lines, amount } = await shop.see({ id: body.purchase_id, customerId })
    assert.equal(amount, 15)
    assert.deepEqual(
      lines.map(({ product_id, quantity }) => [product_id, quantity]),
      [
        [tea.id, 5],
        [cup.id, 1],
      ],
    )
  })

  const refusals: Record<string, { status: number; field: string; build: () => object }> = {
    'a foreign currency': {
      status: 422,
      field: 'payment.currency_code',
      build: () => ({ ...order([shop.addProduct().id, 1]), payment: { currency_code: 'USD' } }),
    },
    'a product that does not exist': {
      status: 422,
      field: 'order_items.1.product_id',
      build: () => order([shop.addProduct().id, 1], [newId(), 1]),
    },
    'a product that is not sold any more': {
      status: 422,
      field: 'order_items.1.product_id',
      build: () => {
        const withdrawn = shop.addProduct()
        shop.catalog.set(withdrawn.id, { ...withdrawn, withdrawn: true })
        return order([shop.addProduct().id, 1], [withdrawn.id, 1])
      },
    },
    'more of a product than is in stock, all its lines together': {
      status: 409,
      field: 'order_items.1.quantity',
      build: () => {
        const scarce = shop.addProduct()
        shop.catalog.set(scarce.id, { ...scarce, stock: 3 })
        return order([shop.addProduct().id, 1], [scarce.id, 2], [scarce.id, 2])
      },
    },
    'a product that is sold out': {
      status: 409,
      field: 'order_items.0.quantity',
      build: () => {
        const gone = shop.addProduct()
        shop.catalog.set(gone.id, { ...gone, stock: 0 })
        return order([gone.id, 1])
      },
    },
    'an amount that no number can hold': {
      status: 422,
      field: 'order_items',
      build: () => order([shop.addProduct(Number.MAX_SAFE_INTEGER).id, 2]),
    },
    'no lines': { status: 400, field: 'order_items', build: () => order() },
    'a quantity of nothing': {
      status: 400,
      field: 'order_items.0.quantity',
      build: () => order([shop.addProduct().id, 0]),
    },
    'an amount of its own': {
      status: 400,
      field: 'amount',
      build: () => ({ ...order([shop.addProduct().id, 1]), amount: 1 }),
    },
  }

  for (const [what, { status, field, build }] of Object.entries(refusals)) {
    it(`refuses ${what} and names ${field}`, async () => {
      const customerId = newId()
      const answer = await shop.buy(customerId, build())
      assert.equal(answer.status, status)
      assert.deepEqual(
        answer.body.errors?.map((error) => error.field),
        [field],
      )
      assert.deepEqual((await shop.request(customerId, '')).body.items, [])
    })
  }

  it('accepts the amount that the customer was shown, of all lines together', async () => {
    const [tea, cup] = [shop.addProduct(125), shop.addProduct(1_000)]
    const body = { ...order([tea.id, 2], [cup.id, 3]), expected_amount: 3_250 }

    const { status, body: answer } = await shop.buy(newId(), body)

    assert.equal(status, 202)
    assert.equal(answer.amount, 3_250)
  })

  it('answers a repeat as the first time, although the product is sold out by now', async () => {
    const [tea, customerId, key] = [shop.addProduct(), newId(), newId()]
    const first = await shop.buy(customerId, order([tea.id, 2]), key)
    shop.catalog.set(tea.id, { ...tea, stock: 0 })

    const repeated = await shop.buy(customerId, order([tea.id, 2]), key)

    assert.deepEqual([repeated.status, repeated.body], [202, first.body])
  })

  it('refuses a price that changed since it was shown, tells the new amount and stores nothing', async () => {
    const tea = shop.addProduct(100)
    const customerId = newId()
    const body = { ...order([tea.id, 2]), expected_amount: 200 }
    shop.catalog.set(tea.id, { ...tea, price: 100_000 })

    const { status, body: problem } = await shop.buy(customerId, body, newId())

    assert.equal(status, 409)
    assert.deepEqual(problem, {
      type: 'urn:shop:problem:price-changed',
      title: 'The price is not the expected one',
      status: 409,
      detail: 'the purchase costs 200000 VND now',
      instance: '/api/v1/purchases',
      errors: [{ field: 'expected_amount', rule: 'is 200 VND, not 200000 VND' }],
      amount: 200_000,
      currency_code: 'VND',
    })
    assert.deepEqual((await shop.request(customerId, '')).body.items, [])
  })

  it('refuses a token that account has revoked', async () => {
    const customerId = newId()
    shop.revoked.add(customerId)
    const body = order([shop.addProduct().id, 1])
    assert.equal((await shop.buy(customerId, body)).status, 401)
    assert.equal((await shop.buy(customerId, body, newId())).status, 401)
    assert.deepEqual((await shop.request(customerId, '')).body.items, [])
  })
})

import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import type { Sale } from '../../shared/contracts/purchase.ts'
import { openPurchaseHttp, order, type PurchaseHttp } from '../../test/helpers/purchase-http.ts'
import { testDelivery } from '../../test/helpers/purchase-service.ts'

describe('GET /sales', () => {
  let shop: PurchaseHttp

  before(async () => {
    shop = await openPurchaseHttp()
  })

  after(() => shop.close())

  type SaleBody = Sale & { items: Sale[]; next_cursor: string | null }
  const sales = async (sellerId: string, path = '') => {
    const { status, body } = await shop.request(sellerId, path, {}, '/sales')
    return { status, body: body as unknown as SaleBody }
  }
  const complete = (purchase_id: string, customer_id: string) =>
    shop.service.progress.end({
      ...{ purchase_id, customer_id, status: 'COMPLETED', reason: null, failed_step: null },
      steps: [],
    })

  it('shows sellers their own lines with state and quantities, and nothing of others', async () => {
    const [tea, cup, pot] = [shop.addProduct(125), shop.addProduct(1_000), shop.addProduct(7)]
    shop.catalog.set(pot.id, { ...pot, account_id: tea.account_id })
    const customerId = newId()
    const { body } = await shop.buy(customerId, order([tea.id, 2], [cup.id, 3], [pot.id, 1]))
    const { purchase_id } = body

    const page = await sales(tea.account_id)
    const other = await sales(cup.account_id, `/${purchase_id}`)

    assert.equal(page.status, 200)
    const [sale, ...more] = page.body.items
    assert.deepEqual(more, [])
    const { created_at, updated_at, ...rest } = sale ?? ({} as Sale)
    assert.deepEqual(rest, {
      purchase_id,
      status: 'ACCEPTED',
      lines: [
        { product_id: tea.id, quantity: 2, name: tea.name, unit_price: 125 },
        { product_id: pot.id, quantity: 1, name: pot.name, unit_price: 7 },
      ],
      amount: 257,
      currency_code: 'VND',
      refunded_amount: 0,
      delivery: null,
    })
    assert.ok(Date.parse(created_at ?? '') <= Date.parse(updated_at ?? ''))
    assert.deepEqual(
      other.body.lines.map(({ product_id, quantity }) => [product_id, quantity]),
      [[cup.id, 3]],
    )
    assert.equal(JSON.stringify(page.body).includes(customerId), false)
  })

  it('tells where to deliver as soon as the purchase is completed', async () => {
    const tea = shop.addProduct()
    const customerId = newId()
    const { body } = await shop.buy(customerId, order([tea.id, 1]))
    await complete(body.purchase_id, customerId)

    const { body: sale } = await sales(tea.account_id, `/${body.purchase_id}`)

    assert.equal(sale.status, 'COMPLETED')
    assert.deepEqual(sale.delivery, testDelivery)
  })

  it('counts what was given back once, for the buyer and the seller whose it is', async () => {
    const [tea, cup] = [shop.addProduct(125), shop.addProduct(1_000)]
    const customerId = newId()
    const { purchase_id } = (await shop.buy(customerId, order([tea.id, 2], [cup.id, 1]))).body
    await complete(purchase_id, customerId)
    const ended = (amount: number, seller_id: string | null, returned = true) => ({
      ...{
        refund_id: newId(),
        purchase_id,
        customer_id: customerId,
        seller_id,
        amount,
        returned,
      },
      ...{ status: 'COMPLETED' as const, reason: null, currency_code: 'VND' },
    })
    const first = ended(100, tea.account_id)
    await shop.service.refunds.end(first)
    await shop.service.refunds.end(first)
    await shop.service.refunds.end(ended(7, null))
    await shop.service.refunds.end(ended(9, cup.account_id, false))

    const shownTo = async (seller: string) =>
      (await sales(seller, `/${purchase_id}`)).body.refunded_amount
    assert.equal((await shop.see({ id: purchase_id, customerId })).refunded_amount, 107)
    assert.deepEqual([await shownTo(tea.account_id), await shownTo(cup.account_id)], [100, 0])

    const alone = (await shop.buy(customerId, order([tea.id, 1]))).body.purchase_id
    await shop.service.refunds.end({ ...ended(125, null), purchase_id: alone })
    assert.equal((await sales(tea.account_id, `/${alone}`)).body.refunded_amount, 125)
  })

  it('takes what was stuck down when the refund has ended', async () => {
    const tea = shop.addProduct()
    const customerId = newId()
    const { purchase_id } = (await shop.buy(customerId, order([tea.id, 1]))).body
    await complete(purchase_id, customerId)
    await shop.service.progress.flag(purchase_id, 'refund_stuck')
    assert.equal((await shop.see({ id: purchase_id, customerId })).needs_attention, true)

    await shop.service.refunds.end({
      ...{ refund_id: newId(), purchase_id, customer_id: customerId, seller_id: null },
      ...{ status: 'COMPLETED', reason: null, amount: 1, currency_code: 'VND', returned: true },
    })

    assert.equal((await shop.see({ id: purchase_id, customerId })).needs_attention, false)
  })

  it('pages, newest first, and takes a status and a time', async () => {
    const tea = shop.addProduct()
    const seller = tea.account_id
    const ids: string[] = []
    for (let count = 0; count < 3; count++) {
      ids.unshift((await shop.buy(newId(), order([tea.id, 1]))).body.purchase_id)
    }
    const [newest = '', middle = '', oldest = ''] = ids
    await complete(middle, newId())
    const shown = async (query: string) => {
      const { body } = await sales(seller, `?${query}`)
      return { ids: body.items.map((sale) => sale.purchase_id), next: body.next_cursor }
    }

    const first = await shown('limit=2')
    const { created_at } = (await sales(seller, `/${middle}`)).body

    assert.deepEqual(first.ids, [newest, middle])
    assert.deepEqual(await shown(`cursor=${first.next}`), { ids: [oldest], next: null })
    assert.deepEqual((await shown('status=COMPLETED')).ids, [middle])
    assert.deepEqual((await shown('status=ACCEPTED')).ids, [newest, oldest])
    assert.ok((await shown(`created_from=${created_at}`)).ids.includes(middle))
    assert.ok(!(await shown(`created_to=${created_at}`)).ids.includes(middle))
  })

  it('does not tell the sale of another seller from a missing one, the buyer included', async () => {
    const tea = shop.addProduct()
    const customerId = newId()
    const { body } = await shop.buy(customerId, order([tea.id, 1]))

    assert.equal((await sales(newId(), `/${body.purchase_id}`)).status, 404)
    assert.equal((await sales(customerId, `/${body.purchase_id}`)).status, 404)
    assert.equal((await sales(tea.account_id, `/${newId()}`)).status, 404)
    assert.equal((await fetch(`${shop.base}/sales`)).status, 401)
  })
})

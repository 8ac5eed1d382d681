import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import {
  type Answer,
  openPurchaseHttp,
  type PurchaseHttp,
} from '../../test/helpers/purchase-http.ts'

describe('GET /purchases', () => {
  let shop: PurchaseHttp

  before(async () => {
    shop = await openPurchaseHttp()
  })

  after(() => shop.close())

  it('shows nobody the purchase of another customer', async () => {
    const { id } = await shop.accepted()
    const foreign = await shop.request(newId(), `/${id}`)
    const missing = await shop.request(newId(), `/${newId()}`)
    assert.equal(foreign.status, 404)
    const { instance: _, ...problem } = foreign.body as Answer['body'] & { instance: string }
    const { instance: __, ...other } = missing.body as Answer['body'] & { instance: string }
    assert.deepEqual(problem, other)
  })

  it('pages through the own purchases, newest first', async () => {
    const customerId = newId()
    const ids: string[] = []
    for (let index = 0; index < 5; index++) ids.unshift((await shop.accepted(customerId)).id)
    await shop.accepted()

    const pages: string[][] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor && `&cursor=${cursor}`
      const { body }: Answer = await shop.request(customerId, `?limit=2${query}`)
      pages.push(body.items.map((item) => item.purchase_id))
      cursor = body.next_cursor
    }
    assert.deepEqual(pages, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)])
  })

  it('shows the purchases of one status only, as each is shown', async () => {
    const customerId = newId()
    const [accepted1, cancelling, ended] = [
      await shop.accepted(customerId),
      await shop.accepted(customerId),
      await shop.accepted(customerId),
    ]
    await shop.request(customerId, `/${cancelling.id}/cancel`, { method: 'POST' })
    await shop.service.progress.end({
      purchase_id: ended.id,
      customer_id: customerId,
      status: 'COMPLETED',
      reason: null,
      failed_step: null,
      steps: [],
    })
    const shown = async (status: string) =>
      (await shop.request(customerId, `?status=${status}`)).body.items.map((item) => [
        item.purchase_id,
        item.status,
      ])

    assert.deepEqual(await shown('ACCEPTED'), [[accepted1.id, 'ACCEPTED']])
    assert.deepEqual(await shown('CANCELLING'), [[cancelling.id, 'CANCELLING']])
    assert.deepEqual(await shown('COMPLETED'), [[ended.id, 'COMPLETED']])
    assert.deepEqual(await shown('REJECTED'), [])
    assert.equal((await shop.request(customerId, '?status=completed')).status, 400)
  })

  it('shows the purchases of a time, its end excluded', async () => {
    const customerId = newId()
    const { id } = await shop.accepted(customerId)
    const { created_at } = await shop.see({ id, customerId })
    const shown = async (query: string) =>
      (await shop.request(customerId, `?${query}`)).body.items.map((item) => item.purchase_id)
    const later = new Date(Date.parse(created_at) + 1).toISOString()

    assert.deepEqual(await shown(`created_from=${created_at}&created_to=${later}`), [id])
    assert.deepEqual(await shown(`created_to=${created_at}`), [])
    assert.deepEqual(await shown(`created_from=${later}`), [])
  })

  it('asks for a token', async () => {
    for (const path of ['', `/${newId()}`]) {
      assert.equal((await fetch(`${shop.base}/purchases${path}`)).status, 401)
    }
  })
})

import assert from 'node:assert/strict'
import {
  type Customer,
  expectStatus,
  registerCustomer,
  request,
} from '../../scripts/stack/shop-client.ts'
import type { AcceptedPurchase, Purchase } from '../../shared/contracts/purchase.ts'
import { commandNames } from '../../shared/contracts/steps.ts'
import { apiDocument } from '../helpers/api-document.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

describe('POST /purchases with Prefer: wait', function () {
  this.timeout(300_000)

  let api: string
  let buyer: Customer
  let productId: string

  before(async () => {
    api = (await testStack()).urls.api
    buyer = await registerCustomer(api)
    productId = (await sellTea(buyer, 100_000)).id
  })

  /** Waits longer than any preference, and checks the answer by the API's document. */
  async function buy(prefer: string, method: string, key?: string) {
    const response = await fetch(`${api}/api/v1/purchases`, {
      method: 'POST',
      headers: {
        ...{ prefer, authorization: `Bearer ${buyer.token}`, 'content-type': 'application/json' },
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      body: JSON.stringify({
        order_items: [{ product_id: productId, quantity: 1 }],
        payment: { currency_code: 'VND', method },
      }),
    })
    const { status } = response
    const body = (await response.json()) as Purchase & AcceptedPurchase
    const headers = Object.fromEntries(response.headers)
    const { check } = await apiDocument()
    const contentType = headers['content-type']
    check({ method: 'POST', path: '/purchases', status, contentType, body })
    return { status, body, headers }
  }

  it('answers 200 with the purchase that has completed', async () => {
    const answer = await buy('wait=30', 'sim_ok')

    const purchase = expectStatus(answer, 200)
    assert.equal(purchase.status, 'COMPLETED')
    assert.equal(answer.headers['preference-applied'], 'wait=30')
    assert.equal(answer.headers.location, `/api/v1/purchases/${purchase.purchase_id}`)
    assert.deepEqual(purchase, await buyer.getPurchase(purchase.purchase_id))
  })

  it('answers 200 with the purchase that was undone, all its steps included', async () => {
    const purchase = expectStatus(await buy('respond-async, wait="30"', 'sim_declined'), 200)

    assert.equal(purchase.status, 'REJECTED')
    assert.equal(purchase.steps.length, commandNames.length)
  })

  it('answers 202 when the purchase has not ended in time, which then goes on', async () => {
    const startedAt = performance.now()
    const answer = await buy('wait=1', 'sim_timeout')

    const { purchase_id } = expectStatus(answer, 202)
    assert.ok(performance.now() - startedAt >= 950)
    assert.equal(answer.headers['preference-applied'], 'wait=1')
    await buyer.cancel(purchase_id)
    // It is asked for its payment three times, 10 s each.
    assert.equal((await buyer.waitForEnd(purchase_id, 180_000)).status, 'CANCELLED')
  })

  it('answers a repeat of the request with the end that the first one had', async () => {
    const key = `key-${process.hrtime.bigint()}`
    const first = expectStatus(await buy('wait=30', 'sim_ok', key), 200)

    const again = expectStatus(await buy('wait=30', 'sim_ok', key), 200)

    assert.equal(again.purchase_id, first.purchase_id)
  })

  it('answers 202 at once where nothing that it knows is preferred', async () => {
    for (const prefer of ['wait=0', 'wait=x', 'return=minimal', 'wait=-3', 'waiting=5']) {
      const answer = await buy(prefer, 'sim_ok')

      expectStatus(answer, 202)
      assert.equal(answer.headers['preference-applied'], undefined, prefer)
    }
  })

  it('lets one customer wait with a share of what may wait, and accepts the rest with a 202', async () => {
    // All are here before the first has waited, and none ends meanwhile.
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => buy('wait=8', 'sim_timeout')),
    )

    const waited = answers.filter(({ headers }) => headers['preference-applied'])
    assert.ok(answers.every(({ status }) => status === 202))
    assert.equal(waited.length, 32)
    await Promise.all(
      answers.map(({ body }) =>
        request(api, 'POST', `/purchases/${body.purchase_id}/cancel`, { token: buyer.token }),
      ),
    )
  })
})

import assert from 'node:assert/strict'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { endOf, openPurchaseHttp, type PurchaseHttp } from '../../test/helpers/purchase-http.ts'
import { createGrpcHandlers } from './grpc.ts'

describe('cancelling a purchase', () => {
  /** What the orchestrator says of a purchase; without an entry it is unavailable. */
  const verdicts = new Map<string, string>()
  const requests: string[] = []
  let shop: PurchaseHttp

  before(async () => {
    shop = await openPurchaseHttp({
      overdueMs: 1,
      sagas: {
        async Cancel({ purchase_id }) {
          requests.push(purchase_id)
          const verdict = verdicts.get(purchase_id)
          if (!verdict) throw new AppError('unavailable', 'the saga does not answer')
          return { verdict }
        },
      },
    })
  })

  after(() => shop.close())

  const end = (id: string, status: PurchaseEnded['status']) =>
    shop.service.progress.end(endOf({ id, customerId: null }, status))
  const cancel = (customerId: string, id: string) =>
    shop.request(customerId, `/${id}/cancel`, { method: 'POST' })

  it('is shown at once and delivered to the saga once', async () => {
    const { customerId, id } = await shop.stored()
    verdicts.set(id, 'CANCELLING')

    const answers = [await cancel(customerId, id), await cancel(customerId, id)]
    const shown = await shop.request(customerId, `/${id}`)

    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.status, body.purchase_id]),
      [
        [202, 'CANCELLING', id],
        [202, 'CANCELLING', id],
      ],
    )
    assert.equal(shown.body.status, 'CANCELLING')
    assert.equal(requests.filter((request) => request === id).length, 1)
  })

  it('is on the row, where the start of the saga finds it', async () => {
    const { customerId, id } = await shop.stored()
    const { GetStates } = createGrpcHandlers(shop.repository)
    const stateOf = async () => (await GetStates({ purchase_ids: [newId(), id] })).states

    const [before] = await stateOf()
    await cancel(customerId, id)
    const [after, ...others] = await stateOf()

    assert.deepEqual([before?.cancel_requested, after?.cancel_requested], [false, true])
    assert.deepEqual([before?.queued, after?.queued], [false, false])
    assert.deepEqual(others, [])
    await assert.rejects(GetStates({ purchase_ids: ['none'] }), AppError)
  })

  it('is kept while no saga receives it, and delivered later', async () => {
    const { customerId, id } = await shop.stored()

    const answer = await cancel(customerId, id)
    verdicts.set(id, 'CANCELLING')
    await waitFor('the sweep', async () => {
      await shop.service.cancellation.deliverPending()
      return requests.filter((request) => request === id).length === 2
    })
    await shop.service.cancellation.deliverPending()

    assert.equal(answer.status, 202)
    assert.equal(answer.body.status, 'CANCELLING')
    assert.equal(requests.filter((request) => request === id).length, 2)
  })

  it('is too late when the purchase is paid for', async () => {
    const { customerId, id } = await shop.stored()
    verdicts.set(id, 'COMPLETED')

    const answer = await cancel(customerId, id)
    const shown = await shop.request(customerId, `/${id}`)

    assert.equal(answer.status, 409)
    assert.notEqual(shown.body.status, 'CANCELLING')
  })

  it('of a purchase that has ended says so', async () => {
    for (const [status, expected] of [
      ['COMPLETED', 409],
      ['REJECTED', 409],
      ['CANCELLED', 202],
    ] as const) {
      const { customerId, id } = await shop.stored()
      await end(id, status)

      const answer = await cancel(customerId, id)

      assert.equal(answer.status, expected)
      if (expected === 202) assert.equal(answer.body.status, status)
      assert.ok(!requests.includes(id))
    }
  })

  it("is for one's own purchases only", async () => {
    const { id } = await shop.stored()

    assert.equal((await cancel(newId(), id)).status, 404)
    assert.equal((await cancel(newId(), newId())).status, 404)
  })
})

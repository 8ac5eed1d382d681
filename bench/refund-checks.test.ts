import assert from 'node:assert/strict'
import { newId } from '../shared/contracts/ids.ts'
import {
  amount,
  completed,
  openShopRecords,
  type Planted,
  type ShopRecords,
} from '../test/helpers/shop-records.ts'
import { checkSagas, checkStraySagas } from './saga-checks.ts'
import type { Saga } from './sagas.ts'

describe('the checks of refunds', () => {
  let shop: ShopRecords

  before(async () => {
    shop = await openShopRecords()
  })

  after(() => shop.close())

  beforeEach(() => shop.reset())

  describe('a refund', () => {
    const name = 'refunds: returned, put back, shown'
    const refunded = { ...completed, ledger: ['CAPTURE', 'REFUND'], hold: 'RETURNED' }

    /** A completed purchase of which all went back: as every service says it, but for `overrides`. */
    async function plantRefund(
      planted: Planted = refunded,
      { status = 'COMPLETED', returned = true, shown = amount, claimed = amount } = {},
    ): Promise<string> {
      const id = await shop.plant(planted)
      const reference = returned ? `re_${id}` : null
      await shop.inserts.refund(newId(), id, { status, reference })
      await shop.clients.payment.query(
        'UPDATE payments SET refunds_claimed = $2, refunded_amount = $3 WHERE id = $1',
        [id, claimed, returned ? amount : 0],
      )
      await shop.clients.purchase.query('UPDATE purchases SET refunded_amount = $2 WHERE id = $1', [
        id,
        shown,
      ])
      return id
    }

    it('passes when ledger, payment, purchase and stock agree', async () => {
      await plantRefund()
      await plantRefund(completed, { status: 'FAILED', returned: false, shown: 0, claimed: 0 })
      await shop.assertNoFinding()
    })

    it('must be in the ledger', async () => {
      const id = await plantRefund({ ...refunded, ledger: ['CAPTURE'] })
      await shop.assertOnly(name, id, /ledger REFUND 0, refunds 500/)
    })

    it('must have returned what it says, and be shown by the purchase', async () => {
      const id = await plantRefund(refunded, { shown: 1 })
      await shop.assertOnly(name, id, /purchase shows 1 refunded, its refunds 500/)
    })

    it('must have put the stock back', async () => {
      const id = await plantRefund({ ...refunded, hold: 'SOLD' })
      await shop.assertOnly(name, id, /stock SOLD after a refund/)
    })

    it('must be there when stock came back', async () => {
      const id = await shop.plant({ ...completed, hold: 'RETURNED' })
      await shop.assertOnly(name, id, /stock RETURNED that no refund puts back/)
    })

    it('must have ended, unless the shop is at work', async () => {
      const id = await plantRefund(
        { ...completed, hold: 'SOLD' },
        {
          ...{ status: 'PROCESSING', returned: false, shown: 0 },
        },
      )
      await shop.assertOnly(name, id, /1 refunds are open/)
      await shop.assertNoFinding({ live: true })
    })

    it('may be of a purchase that has completed since its row was read, while the shop is at work', async () => {
      await plantRefund({ ...refunded, status: 'PROCESSING' })
      await shop.assertNoFinding({ live: true })
    })
  })

  describe('refund sagas', () => {
    const refundOf = async (status: string) => {
      const [id, purchaseId] = [newId(), newId()]
      await shop.inserts.payment(purchaseId, 'CAPTURED')
      await shop.inserts.refund(id, purchaseId, { status })
      return { id, status, purchaseId }
    }
    const compare = async (saga: Saga, { live = false, maxLatest = 10 } = {}) => {
      const { ended, latest } = await shop.records.endedRefunds(maxLatest)
      return checkSagas(latest, {
        ...{ of: 'refund', live, earlier: ended - latest.length, batch: 10 },
        read: async (ids) => new Map(ids.map((id) => [id, saga])),
      })
    }

    it('pass when they returned what the refund shows', async () => {
      await refundOf('FAILED')
      assert.equal((await compare({ state: 'COMPLETED', result: 'FAILED' })).ok, true)
    })

    for (const [saga, says] of [
      [{ state: 'COMPLETED', result: 'COMPLETED' }, /FAILED, saga returned COMPLETED/],
      [{ state: 'FAILED' }, /FAILED, saga FAILED/],
      [{ state: 'RUNNING' }, /FAILED, saga RUNNING/],
    ] satisfies [Saga, RegExp][]) {
      it(`are found when they did not: ${saga.result ?? saga.state}`, async () => {
        const { id, purchaseId } = await refundOf('FAILED')

        const check = await compare(saga)

        assert.deepEqual([check.ok, check.purchaseIds], [false, [purchaseId]])
        assert.match(check.detail, says)
        assert.ok(check.detail.startsWith(`${id} of ${purchaseId} `), check.detail)
      })
    }

    it('are compared for refunds that have ended, the latest of them', async () => {
      await refundOf('COMPLETED')
      const { id, ...latest } = await refundOf('RESOLVED')
      for (const open of ['REQUESTED', 'PROCESSING']) await refundOf(open)

      assert.deepEqual(await shop.records.endedRefunds(1), {
        ended: 2,
        latest: [{ id, ...latest }],
      })
      const check = await compare({ state: 'COMPLETED', result: 'RESOLVED' }, { maxLatest: 1 })
      assert.match(check.detail, /^1 sagas, 1 earlier ones not read$/)
    })

    it('may be gone from Temporal, or still be closing while the shop is at work', async () => {
      await refundOf('COMPLETED')

      const gone = await compare({ state: 'missing' })

      assert.equal(gone.ok, true)
      assert.match(gone.detail, /1 no longer in Temporal/)
      assert.equal((await compare({ state: 'RUNNING' }, { live: true })).ok, true)
    })

    it('are strays when they have no refund', async () => {
      const { id } = await refundOf('PROCESSING')
      const stray = newId()
      async function* pages() {
        yield [id, stray]
      }

      const check = await checkStraySagas('refund', pages(), shop.records.refundStatusesOf)

      assert.deepEqual([check.ok, check.purchaseIds], [false, []])
      assert.equal(check.detail, `${stray} has a saga and no refund`)
    })
  })
})

import assert from 'node:assert/strict'
import type { RefundRequested } from '../../../shared/contracts/events.ts'
import { newId } from '../../../shared/contracts/ids.ts'
import type { RefundSaga } from '../../../shared/contracts/operator.ts'
import type { AnyCommandName } from '../../../shared/contracts/steps.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import {
  agree,
  holdAt,
  type Participant,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../test/helpers/orchestrator.ts'
import { buildRefund } from '../../../test/helpers/refunds.ts'

const deadlineMs = 60_000

describe('the saga of a refund', function () {
  this.timeout(180_000)

  let shop: TestOrchestrator

  before(async function () {
    this.timeout(120_000)
    shop = await startOrchestrator({ stepTimeoutMs: 1_000 })
  })

  after(() => shop.close())

  const endOf = (purchaseId: string) =>
    waitFor('the end', () => shop.refundEndsOf(purchaseId)[0], deadlineMs)

  const silentAt =
    (command: AnyCommandName): Participant =>
    async (name, attempt) =>
      name === command ? 'silent' : agree(name, attempt)

  it('starts once, asks its participants in order, and announces its end', async () => {
    const requested = buildRefund()
    const { participant, release } = holdAt('returnMoney')

    assert.equal((await shop.refund(requested, participant)).state, 'STARTED')
    assert.equal((await shop.refund(requested, participant)).state, 'RUNNING')
    release()

    const { status, returned, seller_id } = await endOf(requested.purchase_id)
    assert.deepEqual([status, returned, seller_id], ['COMPLETED', true, requested.seller_id])
    await shop.refundHandleOf(requested.refund_id).result()
    assert.deepEqual(shop.asksOf(requested.purchase_id), [
      'returnMoney',
      'returnStock',
      'closeRefund',
    ])
  })

  it('has its end announced again when it is asked for after that', async () => {
    const requested = buildRefund({ seller_id: null, product_ids: [] })
    await shop.refund(requested)
    await shop.refundHandleOf(requested.refund_id).result()

    assert.equal((await shop.refund(requested)).state, 'ENDED')

    const again = () => shop.refundEndsOf(requested.purchase_id).length === 2
    await waitFor('the second announcement', again, deadlineMs)
  })

  it('begins anew when it was terminated', async () => {
    const requested = buildRefund()
    const { participant } = holdAt('returnMoney')
    await shop.refund(requested, participant)
    await shop.asked(requested.purchase_id, 'returnMoney')
    await shop.refundHandleOf(requested.refund_id).terminate('by mistake')

    assert.equal((await shop.refund(requested)).state, 'STARTED')

    assert.equal((await endOf(requested.purchase_id)).status, 'COMPLETED')
  })

  it('does not count as the saga of a purchase', async () => {
    const requested = buildRefund()
    await shop.refund(requested)
    await shop.refundHandleOf(requested.refund_id).result()

    const { body } = await shop.operate<{ items: { purchase_id: string }[] }>('GET', '/sagas')

    assert.ok(body.items.every(({ purchase_id }) => !purchase_id.includes('refund')))
  })

  describe('that is stuck', () => {
    async function stickAt(command: AnyCommandName): Promise<RefundRequested> {
      const requested = buildRefund()
      await shop.refund(requested, silentAt(command))
      const flag = await waitFor(
        'the flag',
        () => shop.flagsOf(requested.purchase_id)[0],
        deadlineMs,
      )
      assert.equal(flag.reason, 'refund_stuck')
      return requested
    }

    it('shows what it waits for, and is retried by an operator', async () => {
      const { refund_id, purchase_id } = await stickAt('returnStock')
      const shown = await shop.operate<RefundSaga>('GET', `/refund-sagas/${refund_id}`)
      assert.deepEqual(
        [shown.body.purchase_id, shown.body.status, shown.body.steps],
        [
          purchase_id,
          'NEEDS_ATTENTION',
          [
            { step: 'return-money', state: 'done' },
            { step: 'return-stock', state: 'stuck' },
          ],
        ],
      )
      // It is retried slowly, too: an answer before the request would end it.
      const { participant, release } = holdAt('returnStock')
      shop.answer(purchase_id, participant)

      const retried = await shop.operate('POST', `/refund-sagas/${refund_id}/retry`, {})
      release()

      assert.equal(retried.status, 202)
      assert.equal((await endOf(purchase_id)).status, 'COMPLETED')
      const acted = await shop.actionOf(purchase_id)
      assert.deepEqual([acted.action, acted.purchase_id], ['retry', purchase_id])
    })

    it('is resolved by an operator, and closed before anything else is done', async () => {
      const { refund_id, purchase_id } = await stickAt('returnMoney')

      const resolved = await shop.operate('POST', `/refund-sagas/${refund_id}/resolve`, {
        note: 'paid back in cash',
      })

      assert.equal(resolved.status, 202)
      const { status, returned } = await endOf(purchase_id)
      assert.deepEqual([status, returned], ['RESOLVED', false])
      assert.deepEqual(shop.asksOf(purchase_id), ['returnMoney', 'closeRefund', 'returnStock'])
    })
  })

  it('is no operator’s business when nothing is stuck, or it does not exist', async () => {
    const requested = buildRefund()
    const { participant, release } = holdAt('returnMoney')
    await shop.refund(requested, participant)
    const path = `/refund-sagas/${requested.refund_id}`
    assert.equal((await shop.operate('POST', `${path}/retry`, {})).status, 409)
    release()
    await shop.refundHandleOf(requested.refund_id).result()
    assert.equal((await shop.operate('POST', `${path}/retry`, {})).status, 409)
    assert.equal((await shop.operate('GET', `/refund-sagas/${newId()}`)).status, 404)
  })
})

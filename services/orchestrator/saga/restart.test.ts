import assert from 'node:assert/strict'
import type { PurchaseEnded } from '../../../shared/contracts/events.ts'
import { newId } from '../../../shared/contracts/ids.ts'
import type { Saga } from '../../../shared/contracts/operator.ts'
import type { Problem } from '../../../shared/contracts/problem.ts'
import { type DoName, doNames, undoOf } from '../../../shared/contracts/steps.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import {
  agree,
  holdAt,
  type Participant,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../test/helpers/orchestrator.ts'
import { buildPurchase } from '../../../test/helpers/purchases.ts'

const undos = doNames.map((name) => undoOf[name]).reverse()

describe('a saga that Temporal does not know', function () {
  this.timeout(120_000)

  let shop: TestOrchestrator

  before(async () => {
    shop = await startOrchestrator()
  })
  after(() => shop.close())

  /** A purchase whose saga was deleted while `command` was asked for. */
  async function lostAt(command: DoName, accepted = buildPurchase()) {
    const { participant, release } = holdAt(command)
    const id = await shop.buy(participant, accepted)
    await shop.asked(id, command)
    await shop.deleteSaga(id)
    release()
    return id
  }

  const typeOf = async (id: string) => (await shop.handleOf(id).describe()).type

  for (const command of doNames) {
    it(`is restarted when it was deleted at ${command}, and the purchase completes`, async () => {
      const id = await lostAt(command)
      await shop.sendOverdue(id)
      const { status } = await shop.endOf(id)

      assert.equal(status, 'COMPLETED')
      assert.deepEqual(shop.asksOf(id), doNames)
      const action = await shop.actionOf(id)
      assert.deepEqual([action.operator, action.action], ['sweep', 'reset'])
      assert.deepEqual(shop.flagsOf(id), [])
    })
  }

  it('is restarted by the event that the purchase service publishes again', async () => {
    const accepted = buildPurchase()
    const id = await lostAt('createOrder', accepted)
    await shop.buy(agree, accepted)

    assert.equal((await shop.endOf(id)).status, 'COMPLETED')
  })

  it('runs every undo when the one before it had begun to undo', async () => {
    const afterUndo: Participant = async (command, attempt) =>
      command === 'reserveStock'
        ? { outcome: 'rejected', reason: 'undone' }
        : agree(command, attempt)
    const id = await lostAt('takePayment')
    shop.answer(id, afterUndo)
    await shop.sendOverdue(id)
    const ended = await shop.endOf(id)

    assert.deepEqual([ended.status, ended.reason], ['REJECTED', 'undone'])
    assert.deepEqual(shop.asksOf(id).slice(-3), undos)
  })

  it('receives a cancel request of the row before its first step', async () => {
    const id = await lostAt('createOrder')
    shop.requestCancel(id)
    await shop.sendOverdue(id)

    assert.equal((await shop.endOf(id)).status, 'CANCELLED')
    assert.deepEqual(shop.asksOf(id), ['reserveStock', 'createOrder', ...undos])
  })

  for (const status of ['COMPLETED', 'REJECTED'] as const) {
    it(`takes no step and undoes nothing of a purchase that has ended ${status}`, async () => {
      const accepted = buildPurchase()
      const id = await lostAt('takePayment', accepted)
      const ended: PurchaseEnded = {
        purchase_id: id,
        customer_id: accepted.customer_id,
        status,
        reason: status === 'COMPLETED' ? null : 'payment_declined',
        failed_step: status === 'COMPLETED' ? null : 'take-payment',
      }
      shop.endRow(ended)
      const asked = shop.asksOf(id)
      await shop.sendOverdue(id)

      assert.deepEqual(await shop.endOf(id), ended)
      assert.deepEqual(shop.asksOf(id), asked)
      assert.equal(await typeOf(id), 'finishPurchase')
    })
  }

  it('is shown to an operator when there is no purchase either', async () => {
    const id = newId()
    await shop.sendOverdue(id)
    await waitFor('the flag', () => shop.flagsOf(id).length > 0)

    assert.deepEqual(
      shop.flagsOf(id).map(({ reason }) => reason),
      ['saga_broken'],
    )
  })

  describe('to an operator', () => {
    it('is a purchase whose saga is missing, and not found only without a purchase', async () => {
      const id = await lostAt('createOrder')
      const found = await shop.operate<Saga>('GET', `/sagas/${id}`)
      const none = await shop.operate<Problem>('GET', `/sagas/${newId()}`)

      assert.equal(found.status, 200)
      assert.deepEqual([found.body.state, found.body.status], ['MISSING', 'PROCESSING'])
      assert.equal(found.body.run_id, null)
      assert.equal(none.status, 404)
      assert.equal(none.body.detail, 'there is no purchase with this id')
    })

    it('is shown as queued while it may not start, and is not restarted then', async () => {
      const purchase = buildPurchase()
      const { purchase_id } = purchase
      shop.queue(purchase)
      const found = await shop.operate<Saga>('GET', `/sagas/${purchase_id}`)
      const retried = await shop.operate<Problem>('POST', `/sagas/${purchase_id}/retry`, {})

      assert.deepEqual([found.body.state, found.body.run_id], ['QUEUED', null])
      assert.equal(retried.status, 409)
      assert.match(retried.body.detail ?? '', /queued/)
    })

    it('restarts by a retry', async () => {
      const id = await lostAt('createOrder')
      const { status } = await shop.operate('POST', `/sagas/${id}/retry`, {})

      assert.equal(status, 202)
      assert.equal((await shop.endOf(id)).status, 'COMPLETED')
    })

    it('is cancelled by a cancel', async () => {
      const id = await lostAt('createOrder')
      const note = 'the customer called'
      const { status } = await shop.operate('POST', `/sagas/${id}/cancel`, { note })

      assert.equal(status, 202)
      assert.equal((await shop.endOf(id)).status, 'CANCELLED')
      assert.equal((await shop.actionOf(id)).note, note)
    })

    it('cannot be resolved, and the answer says what to do', async () => {
      const id = await lostAt('createOrder')
      const { status, body } = await shop.operate<Problem>('POST', `/sagas/${id}/resolve`, {
        note: 'by hand',
      })

      assert.equal(status, 409)
      assert.match(body.detail ?? '', /missing in Temporal; POST \/sagas\/:id\/retry restarts it/)
    })

    it('cannot cancel what has ended', async () => {
      const id = await lostAt('createOrder')
      shop.endRow({ ...ended(id), status: 'COMPLETED' })
      const { status, body } = await shop.operate<Problem>('POST', `/sagas/${id}/cancel`, {
        note: 'too late',
      })

      assert.equal(status, 409)
      assert.equal(body.detail, 'the purchase has ended COMPLETED')
    })
  })
})

describe('a saga that goes on from an older database of Temporal', function () {
  this.timeout(240_000)

  it('is ended, and takes no further step and no undo of a purchase that has ended', async () => {
    await using open = new AsyncDisposableStack()
    const shop = open.adopt(await startOrchestrator({ stepTimeoutMs: 120_000 }), (it) => it.close())
    const { participant, release } = holdAt('createOrder')
    const id = await shop.buy(participant)
    await shop.asked(id, 'createOrder')
    shop.endRow({ ...ended(id), status: 'COMPLETED' })
    await waitFor(
      'the sweep',
      async () => (await shop.handleOf(id).describe()).type === 'finishPurchase',
      // It must have run for 30 s, and the sweep comes every 10 s.
      150_000,
    )
    release()

    assert.equal((await shop.endOf(id)).status, 'COMPLETED')
    assert.deepEqual(shop.asksOf(id), ['reserveStock', 'createOrder'])
  })
})

const ended = (purchase_id: string) => ({
  purchase_id,
  customer_id: newId(),
  reason: null,
  failed_step: null,
})

import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { doNames } from '../../shared/contracts/steps.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  agreeable,
  type LoneOrchestrator,
  maxUnfinishedSagas,
  refusing,
  startLoneOrchestrator,
} from '../../test/helpers/lone-orchestrator.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'

describe('orchestrator told by events', () => {
  let orchestrator: LoneOrchestrator

  before(async () => {
    orchestrator = await startLoneOrchestrator()
  })

  after(() => orchestrator.close())

  it('starts one saga of an event that comes again, before and after the end', async () => {
    const purchase = buildPurchase()
    const id = purchase.purchase_id
    const gate = Promise.withResolvers<void>()
    orchestrator.participants.set(id, async (...args) => {
      await gate.promise
      return agreeable(...args)
    })
    await orchestrator.accept(purchase)
    await orchestrator.accept(purchase)
    await orchestrator.eventsHandled()
    const { runId } = await orchestrator.workflowOf(id)
    gate.resolve()
    await orchestrator.over(id)
    await orchestrator.accept(purchase)
    await sendEvent(orchestrator.publish, 'settlementOverdue', { purchase_id: id })
    await waitFor(
      'the repeated announcement, after the events',
      () => orchestrator.endsOf(id).length === 2,
    )

    assert.equal((await orchestrator.workflowOf(id)).runId, runId)
    assert.deepEqual(orchestrator.stepsOf(id), doNames)
    await waitFor(
      'the gate to be empty',
      async () => (await orchestrator.metric('unfinished_sagas')) === 0,
    )
  })

  it('announces the same outcome again when a participant did not receive it', async () => {
    const { id, ended } = await orchestrator.buy(refusing('reserveStock', 'out_of_stock'))
    await sendEvent(orchestrator.publish, 'settlementOverdue', { purchase_id: id })
    await waitFor('another announcement', () => orchestrator.endsOf(id).length === 2)
    assert.deepEqual(orchestrator.endsOf(id), [ended, ended])
  })

  it('announces nothing of a purchase that is unknown or has not ended', async () => {
    const purchase = buildPurchase()
    const id = purchase.purchase_id
    const gate = Promise.withResolvers<void>()
    orchestrator.participants.set(id, async (...args) => {
      await gate.promise
      return agreeable(...args)
    })
    const unknown = newId()
    await sendEvent(orchestrator.publish, 'settlementOverdue', { purchase_id: unknown })
    await orchestrator.accept(purchase)
    await sendEvent(orchestrator.publish, 'settlementOverdue', { purchase_id: id })
    await orchestrator.eventsHandled()
    gate.resolve()
    await orchestrator.endOf(id)
    assert.equal(orchestrator.endsOf(id).length, 1)
    assert.deepEqual(orchestrator.endsOf(unknown), [])
  })

  describe('an accepted purchase that cannot be read', () => {
    const garbage = (id: string) => ({
      key: id,
      headers: { event: 'purchaseAccepted', purchase_id: id },
      value: '{"amount":"much"}',
    })
    const letterOf = (id: string) =>
      waitFor('the dead letter', () => orchestrator.deadLetters.find(({ key }) => key === id))

    it('is refused, for good, and dead-lettered', async () => {
      const purchase = buildPurchase()
      const id = purchase.purchase_id
      await orchestrator.publish('purchases', garbage(id))
      const refused = {
        purchase_id: id,
        customer_id: null,
        status: 'REJECTED',
        reason: 'invalid',
        failed_step: null,
      }
      assert.deepEqual(await orchestrator.over(id), refused)
      assert.equal((await letterOf(id)).headers.dead_letter_group, 'orchestrator-purchases')

      await orchestrator.accept(purchase)
      await sendEvent(orchestrator.publish, 'settlementOverdue', { purchase_id: id })
      await waitFor('the announcement after it', () => orchestrator.endsOf(id).length === 2)
      assert.deepEqual(orchestrator.endsOf(id), [refused, refused])
      assert.deepEqual(orchestrator.asksFor(id), [])
      assert.equal((await orchestrator.workflowOf(id)).type, 'refusePurchase')
    })

    it('changes nothing when its saga exists', async () => {
      const { id, ended } = await orchestrator.buy()
      await orchestrator.publish('purchases', garbage(id))
      await letterOf(id)
      assert.deepEqual(orchestrator.endsOf(id), [ended])
      assert.equal((await orchestrator.workflowOf(id)).type, 'purchase')
    })

    it('is dead-lettered when nobody can tell which one it was', async () => {
      const key = newId()
      await orchestrator.publish('purchases', { ...garbage('x'), key })
      await letterOf(key)
      assert.deepEqual(orchestrator.endsOf('x'), [])
    })
  })

  it('starts no more sagas at once than it may; the rest waits in Kafka', async () => {
    const gate = Promise.withResolvers<void>()
    const purchases = Array.from({ length: maxUnfinishedSagas + 4 }, buildPurchase)
    const ids = purchases.map((purchase) => purchase.purchase_id)
    const started = () => ids.filter((id) => orchestrator.asksFor(id).length > 0)
    for (const id of ids) {
      orchestrator.participants.set(id, async (...args) => {
        await gate.promise
        return agreeable(...args)
      })
    }
    await Promise.all(purchases.map(orchestrator.accept))
    await waitFor('as many as may', () => started().length === maxUnfinishedSagas)
    await waitFor('the others to wait', async () => {
      return (
        (await orchestrator.metric('kafka_messages_in_flight')) === ids.length - maxUnfinishedSagas
      )
    })
    assert.equal(started().length, maxUnfinishedSagas)
    assert.equal(await orchestrator.metric('unfinished_sagas'), maxUnfinishedSagas)
    gate.resolve()

    const ends = await Promise.all(ids.map(orchestrator.endOf))
    assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['COMPLETED']))
  })
})

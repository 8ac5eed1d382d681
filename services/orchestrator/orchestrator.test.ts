import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { commands } from '../../shared/contracts/commands.ts'
import { purchaseWorkflowId } from '../../shared/contracts/ids.ts'
import { commandSteps, doNames, undoOf } from '../../shared/contracts/steps.ts'
import { sendReply } from '../../shared/messaging/messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  agreeable,
  type LoneOrchestrator,
  refusing,
  replyWaitMs,
  startLoneOrchestrator,
} from '../../test/helpers/lone-orchestrator.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'

const undos = doNames.map((name) => undoOf[name]).reverse()

describe('orchestrator', () => {
  let orchestrator: LoneOrchestrator

  before(async () => {
    orchestrator = await startLoneOrchestrator()
  })

  after(() => orchestrator.close())

  it('asks each participant in turn and announces the end', async () => {
    const { purchase, id, ended } = await orchestrator.buy()
    assert.deepEqual(orchestrator.stepsOf(id), doNames)
    const { steps, ...rest } = ended
    assert.deepEqual(rest, {
      purchase_id: id,
      customer_id: purchase.customer_id,
      status: 'COMPLETED',
      reason: null,
      failed_step: null,
    })
    assert.deepEqual(
      steps?.map(({ step, outcome }) => [step, outcome]),
      doNames.map((name) => [commandSteps[name].step, 'done']),
    )
    const { type, typedSearchAttributes } = await orchestrator.workflowOf(id)
    assert.equal(type, 'purchase')
    assert.match(JSON.stringify(typedSearchAttributes), new RegExp(purchase.customer_id))
  })

  it('undoes everything, in reverse, when a participant refuses', async () => {
    const { id, ended } = await orchestrator.buy(refusing('takePayment', 'payment_declined'))
    assert.deepEqual(orchestrator.stepsOf(id), [...doNames, ...undos])
    assert.deepEqual(
      [ended.status, ended.reason, ended.failed_step],
      ['REJECTED', 'payment_declined', 'take-payment'],
    )
  })

  it('asks once for what is answered in time, and leaves no activity to Temporal', async () => {
    // A machine that is busy may be late once, and a saga whose task lasts long goes on in another one.
    await waitFor('a purchase that is asked for once and has no activity', async () => {
      const { id } = await orchestrator.buy()
      const activities = await orchestrator.activitiesOf(id)
      return orchestrator.asksFor(id).length === doNames.length && activities.length === 0
    })
  })

  it('announces what Temporal has stored already', async () => {
    const { name } = await waitFor('a purchase whose replies come in time', async () => {
      const purchase = buildPurchase()
      await orchestrator.accept(purchase)
      await orchestrator.endOf(purchase.purchase_id)
      const { status } = await orchestrator.workflowOf(purchase.purchase_id)
      return (await orchestrator.activitiesOf(purchase.purchase_id)).length === 0
        ? status
        : undefined
    })
    assert.equal(name, 'COMPLETED')
  })

  it('asks again when a reply was lost, by an activity that any replica completes', async () => {
    let lost = false
    const { id, ended } = await orchestrator.buy(async (command, ...rest) => {
      if (command !== 'createOrder' || lost) return agreeable(command, ...rest)
      lost = true
      return 'silent'
    })
    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(orchestrator.stepsOf(id), doNames)
    assert.ok(orchestrator.asksFor(id).filter((name) => name === 'createOrder').length > 1)
    assert.ok((await orchestrator.activitiesOf(id)).includes('create-order'))
  })

  it('takes a reply that comes after the wait, however often it was asked', async () => {
    const asks: number[] = []
    const { id, ended } = await orchestrator.buy(async (command, ...rest) => {
      if (command !== 'createOrder') return agreeable(command, ...rest)
      asks.push(Date.now())
      if (asks.length === 1) await sleep(replyWaitMs + 500)
      return agreeable(command, ...rest)
    })
    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(orchestrator.stepsOf(id), doNames)
    assert.ok((await orchestrator.activitiesOf(id)).includes('create-order'))
  })

  it('counts and drops a reply that no step waits for any more', async () => {
    const before = await orchestrator.metric('late_replies_total')
    const { id, ended } = await orchestrator.buy()
    const { runId } = await orchestrator.workflowOf(id)
    const { step } = commands.reserveStock
    const headers = {
      command: 'reserveStock' as const,
      command_id: `${id}/${step}`,
      purchase_id: id,
      workflow_id: purchaseWorkflowId(id),
      run_id: runId,
      activity_id: step,
    }
    await sendReply(orchestrator.publish, headers, { outcome: 'rejected', reason: 'out_of_stock' })
    await waitFor(
      'the count',
      async () => (await orchestrator.metric('late_replies_total')) > before,
    )
    assert.deepEqual(orchestrator.endsOf(id), [ended])
    assert.deepEqual(orchestrator.stepsOf(id), doNames)
  })

  it('is ready when it has its places', async () => {
    const ready = await waitFor('every check to hold', async () => {
      const response = await fetch(`http://127.0.0.1:${orchestrator.port}/health/ready`)
      return response.ok && response
    })
    assert.deepEqual(await ready.json(), {
      status: 'ready',
      checks: { temporal: true, worker: true, replies: true, purchases: true, requests: true },
    })
  })
})

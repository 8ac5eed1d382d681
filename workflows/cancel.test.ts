import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client'
import type { OperatorActed } from '../shared/contracts/events.ts'
import { cancelUpdateId, sagaUpdates, type Verdict } from '../shared/contracts/saga.ts'
import { doNames } from '../shared/contracts/steps.ts'
import type { History } from '../shared/runtime/temporal.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import {
  type Activities,
  actionOf,
  done,
  everyUndo,
  type PurchaseHandle,
  settings,
  silence,
  withPurchaseWorkers,
} from '../test/helpers/purchase-workflow.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'
import { agreed } from '../test/helpers/replies.ts'
import type { purchase } from './index.ts'

async function waitForCancelRequest(handle: { fetchHistory: () => Promise<History> }) {
  await waitFor('the cancel request to reach the activity', async () => {
    const { events } = await handle.fetchHistory()
    return events?.some((event) => event.activityTaskCancelRequestedEventAttributes)
  })
}

describe('purchase workflow that is cancelled', () => {
  const { world, withWorker, start } = withPurchaseWorkers()

  it('undoes everything and ends CANCELLED when it is cancelled between steps', async () => {
    const accepted = buildPurchase()
    let reply = (_reply: typeof done) => {}

    const { ended, calls } = await withWorker(
      { createOrder: () => new Promise((resolve) => (reply = resolve)) },
      async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, accepted)
        await waitFor('the order step', () => calls.includes('createOrder'))
        await handle.cancel()
        await waitForCancelRequest(handle)
        reply(done)
        return { ended: await handle.result(), calls }
      },
    )

    assert.deepEqual(calls.slice(0, 2), ['reserveStock', 'createOrder'])
    assert.deepEqual(calls.slice(-3), ['cancelOrder', 'releaseStock', 'announceEnd'])
    assert.ok(!calls.includes('takePayment'))
    assert.equal(ended.status, 'CANCELLED')
    assert.equal(ended.reason, 'cancelled')
  })

  it('lets a payment in flight decide: captured means COMPLETED although a cancel came', async () => {
    const accepted = buildPurchase()
    let reply = (_reply: Awaited<ReturnType<Activities['takePayment']>>) => {}

    const { ended, calls } = await withWorker(
      { takePayment: () => new Promise((resolve) => (reply = resolve)) },
      async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, accepted)
        await waitFor('the payment step', () => calls.includes('takePayment'))
        await handle.cancel()
        await waitForCancelRequest(handle)
        reply({ ...done, provider_reference: 'ref' })
        return { ended: await handle.result(), calls }
      },
    )

    assert.deepEqual(calls, [...doNames, 'announceEnd'])
    assert.equal(ended.status, 'COMPLETED')
  })

  describe('asked to cancel', () => {
    const cancel = (handle: PurchaseHandle, request: OperatorActed | null = null) =>
      handle.executeUpdate<Verdict, [OperatorActed | null]>(sagaUpdates.cancel, {
        updateId: request?.action_id ?? cancelUpdateId,
        args: [request],
      })

    for (const [index, step] of doNames.entries()) {
      const commits = step === 'takePayment'

      it(`waits for ${step}, then ${commits ? 'lets the payment decide' : 'undoes everything'}`, async () => {
        let reply = () => {}
        const held = () => new Promise((resolve) => (reply = () => resolve(agreed[step])))

        const { ended, calls, verdicts } = await withWorker(
          { [step]: held },
          async ({ taskQueue, calls }) => {
            const handle = await start(taskQueue, buildPurchase())
            await waitFor(step, () => calls.includes(step))
            const verdicts = [await cancel(handle), await cancel(handle)]
            reply()
            return { ended: await handle.result(), calls, verdicts }
          },
        )

        const taken = doNames.slice(0, index + 1)
        assert.deepEqual(verdicts, ['CANCELLING', 'CANCELLING'])
        assert.deepEqual(calls, [...taken, ...(commits ? [] : everyUndo), 'announceEnd'])
        assert.equal(ended.status, commits ? 'COMPLETED' : 'CANCELLED')
        assert.equal(ended.reason, commits ? null : 'cancelled')
      })
    }

    it('before it was started takes no step', async () => {
      const accepted = buildPurchase()

      const { calls, ended, verdict } = await withWorker({}, async ({ taskQueue, calls }) => {
        const startWorkflowOperation = new WithStartWorkflowOperation<typeof purchase>('purchase', {
          workflowId: `purchase-${accepted.purchase_id}`,
          taskQueue,
          args: [accepted, settings],
          workflowIdConflictPolicy: 'USE_EXISTING',
        })
        const verdict = await world.temporal.client.workflow.executeUpdateWithStart<
          typeof purchase,
          Verdict,
          [OperatorActed | null]
        >(sagaUpdates.cancel, { startWorkflowOperation, updateId: cancelUpdateId, args: [null] })
        const handle = await startWorkflowOperation.workflowHandle()
        return { calls, ended: await handle.result(), verdict }
      })

      assert.equal(verdict, 'CANCELLING')
      assert.deepEqual(calls, [...everyUndo, 'announceEnd'])
      assert.equal(ended.status, 'CANCELLED')
      assert.equal(ended.failed_step, null)
    })

    it('while a step runs out of time ends cancelled, not timed out', async () => {
      const once = { ...settings, stepTimeoutMs: 5_000, stepAttempts: 1 }

      const { ended } = await withWorker({ createOrder: silence }, async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, buildPurchase(), once)
        await waitFor('the order step', () => calls.includes('createOrder'))
        await cancel(handle)
        return { ended: await handle.result() }
      })

      assert.deepEqual(
        [ended.status, ended.reason, ended.failed_step],
        ['CANCELLED', 'cancelled', null],
      )
    })

    it('by something that is no request of an operator is refused, and leaves no trace', async () => {
      const accepted = buildPurchase()
      const action = actionOf(accepted.purchase_id, { action: 'cancel' })
      const foreign = actionOf(randomUUID(), { action: 'cancel' })
      let reply = (_reply: typeof done) => {}

      const { ended, refusals, acted } = await withWorker(
        { reserveStock: () => new Promise((resolve) => (reply = resolve)) },
        async ({ taskQueue, calls, acted }) => {
          const handle = await start(taskQueue, accepted)
          await waitFor('the first step', () => calls.includes('reserveStock'))
          const refusals: unknown[] = []
          for (const bad of ['now', 7, [], {}, { ...action, at: 'today' }, foreign]) {
            const update = handle.executeUpdate(sagaUpdates.cancel, { args: [bad as never] })
            refusals.push(await update.catch((error) => error))
          }
          reply(done)
          return { ended: await handle.result(), refusals, acted }
        },
      )

      assert.equal(refusals.length, 6)
      for (const refusal of refusals) assert.ok(refusal instanceof WorkflowUpdateFailedError)
      assert.deepEqual(acted, [])
      assert.equal(ended.status, 'COMPLETED')
    })

    it('too late says how the purchase ends, and changes nothing', async () => {
      let announce = () => {}

      const { ended, verdict } = await withWorker(
        { announceEnd: () => new Promise<void>((resolve) => (announce = resolve)) },
        async ({ taskQueue, calls }) => {
          const handle = await start(taskQueue, buildPurchase())
          await waitFor('the commit', () => calls.includes('announceEnd'))
          const verdict = await cancel(handle)
          announce()
          return { ended: await handle.result(), verdict }
        },
      )

      assert.equal(verdict, 'COMPLETED')
      assert.equal(ended.status, 'COMPLETED')
    })

    it('by an operator says so', async () => {
      const accepted = buildPurchase()
      const action = actionOf(accepted.purchase_id, { action: 'cancel', note: 'fraud' })
      let reply = (_reply: typeof done) => {}

      const { ended, acted } = await withWorker(
        { reserveStock: () => new Promise((resolve) => (reply = resolve)) },
        async ({ taskQueue, calls, acted }) => {
          const handle = await start(taskQueue, accepted)
          await waitFor('the first step', () => calls.includes('reserveStock'))
          await cancel(handle, action)
          reply(done)
          return { ended: await handle.result(), acted }
        },
      )

      assert.equal(ended.status, 'CANCELLED')
      assert.deepEqual(acted, [action])
    })
  })
})

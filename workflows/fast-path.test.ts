import assert from 'node:assert/strict'
import { ApplicationFailure, activityInfo } from '@temporalio/activity'
import {
  cancelRequestedFailure,
  cancelUpdateId,
  sagaUpdates,
  type Verdict,
} from '../shared/contracts/saga.ts'
import { doNames } from '../shared/contracts/steps.ts'
import type { History } from '../shared/runtime/temporal.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import {
  activitiesOf,
  brief,
  done,
  everyUndo,
  fast,
  hasty,
  silence,
  withPurchaseWorkers,
} from '../test/helpers/purchase-workflow.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'

/** The workflow receives events when it begins a task: one that began after the request, and is over, has received it. */
async function cancelWasSeen(handle: { fetchHistory: () => Promise<History> }): Promise<boolean> {
  const events = (await handle.fetchHistory()).events ?? []
  const asked = events.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes)
  const started = events.findIndex(
    (event, index) => index > asked && event.workflowTaskStartedEventAttributes,
  )
  const over = events.findIndex(
    (event, index) => index > started && event.workflowTaskCompletedEventAttributes,
  )
  return asked >= 0 && started > asked && over > started
}

/** A step that cannot wait where its command is sent. */
async function notHere() {
  if (activityInfo().isLocal) throw new Error('replies do not come to this process')
  return done
}

describe('purchase workflow while its replies come to the process that asks', () => {
  const { world, withWorker, start, buy } = withPurchaseWorkers()

  it('takes a step without an activity of its own, and announces with one', async () => {
    const { ended, calls, handle } = await buy({}, buildPurchase(), fast)

    assert.deepEqual(calls, [...doNames, 'announceEnd'])
    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(await activitiesOf(handle), ['announceEnd'])
  })

  it('returns before its end is announced when it was one task', async () => {
    const accepted = buildPurchase()
    const { ended, calls, handle, completed } = await buy({}, accepted, brief)

    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(calls, doNames)
    assert.deepEqual(await activitiesOf(handle), [])
    assert.deepEqual(completed, [{ id: accepted.purchase_id, isAnnounced: false }])
  })

  it('announces with an activity when it was more than one task', async () => {
    const accepted = buildPurchase()
    const { calls, handle, completed } = await buy({ createOrder: notHere }, accepted, brief)

    assert.equal(calls.at(-1), 'announceEnd')
    assert.deepEqual(await activitiesOf(handle), ['createOrder', 'announceEnd'])
    assert.deepEqual(completed, [{ id: accepted.purchase_id, isAnnounced: true }])
  })

  it('undoes with activities', async () => {
    const rejected = { outcome: 'rejected', reason: 'payment_declined' } as const
    const overrides = { takePayment: async () => rejected }
    const { ended, calls, handle } = await buy(overrides, buildPurchase(), fast)

    const undone = [...everyUndo, 'announceEnd']
    assert.equal(ended.reason, 'payment_declined')
    assert.deepEqual(calls, [...doNames, ...undone])
    assert.deepEqual(await activitiesOf(handle), undone)
  })

  it('asks again with an activity when no reply came in time', async () => {
    const createOrder = async () => (activityInfo().isLocal ? silence() : done)
    const { ended, calls, handle } = await buy({ createOrder }, buildPurchase(), hasty)

    assert.equal(ended.status, 'COMPLETED')
    // On a busy machine another step may be late as well.
    const twice = doNames.filter((step) => calls.filter((name) => name === step).length === 2)
    assert.ok(twice.includes('createOrder'))
    assert.deepEqual(await activitiesOf(handle), [...twice, 'announceEnd'])
  })

  it('is cancelled at a step that an earlier version did not begin because of a cancel request', async () => {
    const takePayment = async () => {
      throw ApplicationFailure.nonRetryable('cancelled', cancelRequestedFailure)
    }
    const { ended, calls } = await buy({ takePayment }, buildPurchase(), fast)

    const undone = [...everyUndo, 'announceEnd']
    assert.deepEqual(calls, [...doNames, ...undone])
    assert.deepEqual(
      [ended.status, ended.reason, ended.failed_step],
      ['CANCELLED', 'cancelled', null],
    )
  })

  it('receives a cancel request between two steps of a task that has lasted for long', async () => {
    const answer = Promise.withResolvers<typeof done>()
    const waiting = { ...fast, maxTaskMs: 500 }

    const { ended, verdict, calls } = await withWorker(
      { createOrder: () => answer.promise },
      async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, buildPurchase(), waiting)
        await waitFor('the order step', () => calls.includes('createOrder'))
        const asked = handle.executeUpdate<Verdict, [null]>(sagaUpdates.cancel, {
          updateId: cancelUpdateId,
          args: [null],
        })
        await world.temporal.sleep('3 s')
        answer.resolve(done)
        return { ended: await handle.result(), verdict: await asked, calls }
      },
    )

    assert.equal(verdict, 'CANCELLING')
    assert.equal(ended.status, 'CANCELLED')
    assert.ok(!calls.includes('takePayment'))
  })

  it('receives a cancel request between two quick steps when the reply says that one is pending', async () => {
    const answer = Promise.withResolvers<typeof done & { cancel_pending: boolean }>()
    const { ended, verdict, calls } = await withWorker(
      { createOrder: () => answer.promise },
      async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, buildPurchase(), fast)
        await waitFor('the order step', () => calls.includes('createOrder'))
        const asked = handle.executeUpdate<Verdict, [null]>(sagaUpdates.cancel, {
          updateId: cancelUpdateId,
          args: [null],
        })
        await world.temporal.sleep('3 s')
        answer.resolve({ ...done, cancel_pending: true })
        return { ended: await handle.result(), verdict: await asked, calls }
      },
    )

    assert.equal(verdict, 'CANCELLING')
    assert.equal(ended.status, 'CANCELLED')
    assert.ok(!calls.includes('takePayment'))
  })

  it('ends no task between quick steps', async () => {
    const { handle } = await buy({}, buildPurchase(), { ...brief, maxTaskMs: 60_000 })

    const { events } = await handle.fetchHistory()
    assert.ok(!events?.some((event) => event.timerStartedEventAttributes))
  })

  it('asks again with an activity when it cannot wait here', async () => {
    const { ended, handle } = await buy({ createOrder: notHere }, buildPurchase(), fast)

    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(await activitiesOf(handle), ['createOrder', 'announceEnd'])
  })

  it('still takes every attempt before it undoes', async () => {
    const createOrder = async () => {
      throw new Error('Kafka does not take messages')
    }
    const { ended, calls } = await buy({ createOrder }, buildPurchase(), fast)

    const attempts = calls.filter((name) => name === 'createOrder')
    assert.equal(attempts.length, 1 + fast.stepAttempts)
    assert.equal(ended.reason, 'unavailable')
  })

  it('gives a do the deadline of the fast path and the fallback together', async () => {
    const deadlines: number[] = []
    const began = Date.now()
    const createOrder = async () => {
      const { scheduledTimestampMs, scheduleToCloseTimeoutMs } = activityInfo()
      deadlines.push(scheduledTimestampMs + scheduleToCloseTimeoutMs)
      return done
    }
    await buy({ createOrder }, buildPurchase(), fast)

    const { replyWaitMs, stepTimeoutMs, stepAttempts } = fast
    const both = replyWaitMs + (stepTimeoutMs + 500) * stepAttempts
    assert.equal(deadlines.length, 1)
    assert.ok((deadlines[0] ?? 0) >= began + both, `${deadlines}`)
  })

  it('lets a step in progress decide what a cancel undoes', async () => {
    const accepted = buildPurchase()
    // One answer for every time that it is asked: on a busy machine the task is begun again.
    const answer = Promise.withResolvers<typeof done>()

    const { ended, before, calls } = await withWorker(
      { createOrder: () => answer.promise },
      async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, accepted, fast, '2 s')
        await waitFor('the order step', () => calls.includes('createOrder'))
        await handle.cancel()
        await waitFor('the cancel to reach the workflow', () => cancelWasSeen(handle))
        const before = [...calls]
        answer.resolve(done)
        return { ended: await handle.result(), before, calls }
      },
    )

    assert.deepEqual([...new Set(before)], ['reserveStock', 'createOrder'])
    assert.ok(!calls.includes('takePayment'))
    assert.deepEqual(calls.slice(-3), ['cancelOrder', 'releaseStock', 'announceEnd'])
    assert.equal(ended.status, 'CANCELLED')
  })
})

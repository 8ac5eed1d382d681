import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { ApplicationFailure, activityInfo, CompleteAsyncError, Context } from '@temporalio/activity'
import { WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client'
import type { History } from '@temporalio/common/lib/proto-utils.js'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker'
import type { Activities } from '../activities/index.ts'
import { waitFor } from '../scripts/wait-for.ts'
import type {
  AttentionNeeded,
  OperatorActed,
  PurchaseAccepted,
  PurchaseEnded,
} from '../shared/contracts/events.ts'
import {
  cancelUpdateId,
  cancelWish,
  type SagaState,
  sagaQuery,
  sagaUpdates,
  type Verdict,
} from '../shared/contracts/saga.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'
import { bundleWorkflows, quietTemporal, timeSkippingTemporal } from '../test/helpers/temporal.ts'
import type { purchase, refusePurchase } from './index.ts'

/** The time-skipping server does not skip while an activity is open, so a step's timeout is short here. */
const settings = { stepTimeoutMs: 250, stepAttempts: 3, replyWaitMs: 0 }
/** Takes the short way first, where one who does not answer fails soon. */
const short = { ...settings, replyWaitMs: 250 }
/** For tests that hold a step open. */
const patient = { ...settings, stepTimeoutMs: 10_000 }
/** Leaves its announcement to who ran it, when it was one task. */
const brief = { ...short, announceOnceStored: true }
const done = { outcome: 'done' } as const
const forwardSteps = ['reserveStock', 'createOrder', 'takePayment'] as const
const undoOf = {
  reserveStock: 'releaseStock',
  createOrder: 'cancelOrder',
  takePayment: 'refundPayment',
}

type Leaving = { id: string; isAnnounced: boolean }

function actionOf(purchaseId: string, rest: Partial<OperatorActed>): OperatorActed {
  return {
    action_id: randomUUID(),
    purchase_id: purchaseId,
    operator: 'lan',
    action: 'retry',
    step: null,
    note: null,
    at: new Date().toISOString(),
    ...rest,
  }
}

/** Never answers: the attempt ends when its time is up. */
async function silence(): Promise<never> {
  if (activityInfo().isLocal) return Context.current().cancelled
  throw new CompleteAsyncError()
}

describe('purchase workflow', () => {
  let temporal: TestWorkflowEnvironment
  let workflowBundle: WorkflowBundleWithSourceMap

  before(async function () {
    this.timeout(60_000)
    quietTemporal()
    temporal = await timeSkippingTemporal()
    workflowBundle = await bundleWorkflows()
  })

  after(() => temporal.teardown())

  /** Runs `body` against a worker whose participants all agree, but for `overrides`; notes who was called. */
  async function withWorker<T>(
    overrides: Partial<Activities>,
    body: (context: {
      taskQueue: string
      calls: string[]
      announced: PurchaseEnded[]
      flagged: AttentionNeeded[]
      acted: OperatorActed[]
      left: Leaving[]
    }) => Promise<T>,
  ): Promise<T> {
    const calls: string[] = []
    const announced: PurchaseEnded[] = []
    const flagged: AttentionNeeded[] = []
    const acted: OperatorActed[] = []
    const left: Leaving[] = []
    const agreeable: Activities = {
      reserveStock: async () => done,
      releaseStock: async () => done,
      createOrder: async () => done,
      cancelOrder: async () => done,
      takePayment: async () => ({ ...done, provider_reference: 'ref' }),
      refundPayment: async () => done,
      announceEnd: async (ended) => {
        announced.push(ended)
      },
      announceAttention: async (needed) => {
        flagged.push(needed)
      },
      announceAction: async (action) => {
        acted.push(action)
      },
    }
    const noted = Object.entries({ ...agreeable, ...overrides }).map(([name, activity]) => {
      const call = (...args: never[]) => {
        calls.push(name)
        return (activity as (...args: never[]) => Promise<unknown>)(...args)
      }
      return [name, call]
    })
    const taskQueue = randomUUID()
    const worker = await Worker.create({
      connection: temporal.nativeConnection,
      taskQueue,
      workflowBundle,
      activities: Object.fromEntries(noted),
      sinks: {
        leaving: {
          ended: {
            fn: (_info, id: string, isAnnounced: boolean) => void left.push({ id, isAnnounced }),
          },
        },
      },
    })
    return worker.runUntil(body({ taskQueue, calls, announced, flagged, acted, left }))
  }

  function start(taskQueue: string, accepted: PurchaseAccepted, patience = settings) {
    return temporal.client.workflow.start<typeof purchase>('purchase', {
      workflowId: `purchase-${accepted.purchase_id}`,
      taskQueue,
      args: [accepted, patience],
      workflowTaskTimeout: '2 s',
    })
  }

  function buy(overrides: Partial<Activities>, accepted = buildPurchase(), patience = settings) {
    return withWorker(overrides, async ({ taskQueue, calls, announced, left }) => {
      const handle = await start(taskQueue, accepted, patience)
      return { ended: await handle.result(), calls, announced, left, handle }
    })
  }

  it('takes every step in order, undoes nothing and announces COMPLETED', async () => {
    const accepted = buildPurchase()

    const { ended, calls, announced, left } = await buy({}, accepted)

    assert.deepEqual(calls, [...forwardSteps, 'announceEnd'])
    assert.deepEqual(left, [{ id: accepted.purchase_id, isAnnounced: true }])
    assert.deepEqual(ended, {
      purchase_id: accepted.purchase_id,
      customer_id: accepted.customer_id,
      status: 'COMPLETED',
      reason: null,
      failed_step: null,
    })
    assert.deepEqual(announced, [ended])
  })

  it('asks each participant for just what it needs', async () => {
    const accepted = buildPurchase()
    const asked: unknown[] = []

    await buy(
      {
        reserveStock: async (...args) => {
          asked.push(args)
          return done
        },
        takePayment: async (...args) => {
          asked.push(args)
          return { ...done, provider_reference: 'ref' }
        },
      },
      accepted,
    )

    const { purchase_id, customer_id, lines } = accepted
    const stock = lines.map(({ product_id, quantity }) => ({ product_id, quantity }))
    const payment = { customer_id, amount: 250, currency_code: 'VND', method: 'sim_ok' }
    assert.deepEqual(asked, [
      [purchase_id, { lines: stock }],
      [purchase_id, payment],
    ])
  })

  for (const [index, step] of forwardSteps.entries()) {
    const taken = forwardSteps.slice(0, index + 1)
    const undone = taken.map((name) => undoOf[name]).reverse()
    const stepName = step.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

    it(`undoes in reverse order, itself included, when ${step} is rejected`, async () => {
      const rejected = { outcome: 'rejected', reason: 'out_of_stock' } as const

      const { ended, calls, announced } = await buy({ [step]: async () => rejected })

      assert.deepEqual(calls, [...taken, ...undone, 'announceEnd'])
      assert.equal(ended.status, 'REJECTED')
      assert.equal(ended.reason, 'out_of_stock')
      assert.equal(ended.failed_step, stepName)
      assert.deepEqual(announced, [ended])
    })

    it(`sends ${step} again when no reply comes, then undoes whatever a lost run may have done`, async () => {
      const { ended, calls } = await buy({ [step]: silence })

      const attempts = calls.filter((name) => name === step)
      assert.equal(attempts.length, settings.stepAttempts)
      const all = forwardSteps.map((name) => undoOf[name]).reverse()
      assert.deepEqual(calls.slice(calls.lastIndexOf(step) + 1), [...all, 'announceEnd'])
      assert.equal(ended.status, 'REJECTED')
      assert.equal(ended.reason, 'timeout')
      assert.equal(ended.failed_step, stepName)
    })
  }

  describe('while its replies come to the process that asks', () => {
    it('takes a step without an activity of its own, and announces with one', async () => {
      const { ended, calls, handle } = await buy({}, buildPurchase(), short)

      assert.deepEqual(calls, [...forwardSteps, 'announceEnd'])
      assert.equal(ended.status, 'COMPLETED')
      assert.deepEqual(await activitiesOf(handle), ['announceEnd'])
    })

    it('returns before its end is announced when it was one task', async () => {
      const accepted = buildPurchase()
      const { ended, calls, handle, left } = await buy({}, accepted, brief)

      assert.equal(ended.status, 'COMPLETED')
      assert.deepEqual(calls, forwardSteps)
      assert.deepEqual(await activitiesOf(handle), [])
      assert.deepEqual(left, [{ id: accepted.purchase_id, isAnnounced: false }])
    })

    it('announces with an activity when it was more than one task', async () => {
      const accepted = buildPurchase()
      const createOrder = async () => (activityInfo().isLocal ? silence() : done)
      const { calls, handle, left } = await buy({ createOrder }, accepted, brief)

      assert.equal(calls.at(-1), 'announceEnd')
      assert.deepEqual(await activitiesOf(handle), ['createOrder', 'announceEnd'])
      assert.deepEqual(left, [{ id: accepted.purchase_id, isAnnounced: true }])
    })

    it('undoes with activities', async () => {
      const rejected = { outcome: 'rejected', reason: 'payment_declined' } as const
      const overrides = { takePayment: async () => rejected }
      const { ended, calls, handle } = await buy(overrides, buildPurchase(), short)

      const undone = ['refundPayment', 'cancelOrder', 'releaseStock', 'announceEnd']
      assert.equal(ended.reason, 'payment_declined')
      assert.deepEqual(calls, [...forwardSteps, ...undone])
      assert.deepEqual(await activitiesOf(handle), undone)
    })

    it('asks again with an activity when no reply came in time', async () => {
      const createOrder = async () => (activityInfo().isLocal ? silence() : done)
      const { ended, calls, handle } = await buy({ createOrder }, buildPurchase(), short)

      assert.equal(ended.status, 'COMPLETED')
      assert.deepEqual(
        calls.filter((name) => name === 'createOrder'),
        ['createOrder', 'createOrder'],
      )
      assert.deepEqual(await activitiesOf(handle), ['createOrder', 'announceEnd'])
    })

    it('is cancelled at a step that was not begun because of the wish', async () => {
      const takePayment = async () => {
        throw ApplicationFailure.nonRetryable('cancelled', cancelWish)
      }
      const { ended, calls } = await buy({ takePayment }, buildPurchase(), short)

      const undone = ['refundPayment', 'cancelOrder', 'releaseStock', 'announceEnd']
      assert.deepEqual(calls, [...forwardSteps, ...undone])
      assert.deepEqual(
        [ended.status, ended.reason, ended.failed_step],
        ['CANCELLED', 'cancelled', 'take-payment'],
      )
    })

    it('asks again with an activity when it cannot wait here', async () => {
      const createOrder = async () => {
        if (activityInfo().isLocal) throw new Error('replies do not come to this process')
        return done
      }
      const { ended, handle } = await buy({ createOrder }, buildPurchase(), short)

      assert.equal(ended.status, 'COMPLETED')
      assert.deepEqual(await activitiesOf(handle), ['createOrder', 'announceEnd'])
    })

    it('still takes every attempt before it undoes', async () => {
      const { ended, calls } = await buy({ createOrder: silence }, buildPurchase(), short)

      const attempts = calls.filter((name) => name === 'createOrder')
      assert.equal(attempts.length, 1 + short.stepAttempts)
      assert.equal(ended.reason, 'timeout')
    })

    it('gives a do the deadline of both ways', async () => {
      const deadlines: number[] = []
      const began = Date.now()
      const createOrder = async () => {
        const { scheduledTimestampMs, scheduleToCloseTimeoutMs } = activityInfo()
        deadlines.push(scheduledTimestampMs + scheduleToCloseTimeoutMs)
        return done
      }
      await buy({ createOrder }, buildPurchase(), short)

      const { replyWaitMs, stepTimeoutMs, stepAttempts } = short
      const both = replyWaitMs + (stepTimeoutMs + 500) * stepAttempts
      assert.equal(deadlines.length, 1)
      assert.ok((deadlines[0] ?? 0) >= began + both, `${deadlines}`)
    })

    it('lets a step that is under way decide what a cancel undoes', async function () {
      this.timeout(60_000)
      const accepted = buildPurchase()
      // One answer for every time that it is asked: on a busy machine the task is begun again.
      const answer = Promise.withResolvers<typeof done>()
      const waiting = { ...patient, replyWaitMs: 20_000 }

      const { ended, before, calls } = await withWorker(
        { createOrder: () => answer.promise },
        async ({ taskQueue, calls }) => {
          const handle = await start(taskQueue, accepted, waiting)
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

  it('ends REJECTED as unavailable when a command cannot be sent', async () => {
    const { ended } = await buy({
      createOrder: async () => {
        throw new Error('Kafka does not take messages')
      },
    })

    assert.equal(ended.reason, 'unavailable')
  })

  it('goes on with the other undos while one is stuck, and does not end before it is done', async () => {
    let refusals = 20
    const { ended, calls, handle } = await buy({
      takePayment: async () => ({ outcome: 'rejected', reason: 'payment_declined' }),
      refundPayment: async () => {
        if (refusals-- > 0) throw new Error('the provider is away')
        return done
      },
    })

    const firstRound = calls.slice(
      calls.indexOf('refundPayment'),
      calls.indexOf('releaseStock') + 1,
    )
    assert.deepEqual([...new Set(firstRound)], ['refundPayment', 'cancelOrder', 'releaseStock'])
    assert.equal(calls.filter((name) => name === 'refundPayment').length, 21)
    assert.equal(calls.at(-1), 'announceEnd')
    assert.equal(ended.status, 'REJECTED')
    assert.deepEqual(await statusesOf(handle), ['REJECTED', 'NEEDS_ATTENTION', 'REJECTED'])
  })

  it('announces until the announcement is taken', async () => {
    let refusals = 12
    const { calls } = await buy({
      announceEnd: async () => {
        if (refusals-- > 0) throw new Error('Kafka does not take messages')
      },
    })

    assert.equal(calls.filter((name) => name === 'announceEnd').length, 13)
  })

  it('undoes everything and ends CANCELLED when it is cancelled between steps', async () => {
    const accepted = buildPurchase()
    let reply = (_reply: typeof done) => {}

    const { ended, calls } = await withWorker(
      { createOrder: () => new Promise((resolve) => (reply = resolve)) },
      async ({ taskQueue, calls }) => {
        const handle = await start(taskQueue, accepted, patient)
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
        const handle = await start(taskQueue, accepted, patient)
        await waitFor('the payment step', () => calls.includes('takePayment'))
        await handle.cancel()
        await waitForCancelRequest(handle)
        reply({ ...done, provider_reference: 'ref' })
        return { ended: await handle.result(), calls }
      },
    )

    assert.deepEqual(calls, [...forwardSteps, 'announceEnd'])
    assert.equal(ended.status, 'COMPLETED')
  })

  describe('asked to cancel', () => {
    const agree = {
      reserveStock: done,
      createOrder: done,
      takePayment: { ...done, provider_reference: 'r' },
    }
    const everyUndo = ['refundPayment', 'cancelOrder', 'releaseStock', 'announceEnd']

    const cancel = (
      handle: Awaited<ReturnType<typeof start>>,
      request: OperatorActed | null = null,
    ) =>
      handle.executeUpdate<Verdict, [OperatorActed | null]>(sagaUpdates.cancel, {
        updateId: request?.action_id ?? cancelUpdateId,
        args: [request],
      })

    for (const [index, step] of forwardSteps.entries()) {
      const commits = step === 'takePayment'

      it(`waits for ${step}, then ${commits ? 'lets the payment decide' : 'undoes everything'}`, async () => {
        let reply = () => {}
        const held = () => new Promise((resolve) => (reply = () => resolve(agree[step])))

        const { ended, calls, verdicts } = await withWorker(
          { [step]: held },
          async ({ taskQueue, calls }) => {
            const handle = await start(taskQueue, buildPurchase(), patient)
            await waitFor(step, () => calls.includes(step))
            const verdicts = [await cancel(handle), await cancel(handle)]
            reply()
            return { ended: await handle.result(), calls, verdicts }
          },
        )

        const taken = forwardSteps.slice(0, index + 1)
        assert.deepEqual(verdicts, ['CANCELLING', 'CANCELLING'])
        assert.deepEqual(calls, [...taken, ...(commits ? ['announceEnd'] : everyUndo)])
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
        const verdict = await temporal.client.workflow.executeUpdateWithStart<
          typeof purchase,
          Verdict,
          [OperatorActed | null]
        >(sagaUpdates.cancel, { startWorkflowOperation, updateId: cancelUpdateId, args: [null] })
        const handle = await startWorkflowOperation.workflowHandle()
        return { calls, ended: await handle.result(), verdict }
      })

      assert.equal(verdict, 'CANCELLING')
      assert.deepEqual(calls, everyUndo)
      assert.equal(ended.status, 'CANCELLED')
      assert.equal(ended.failed_step, 'reserve-stock')
    })

    it('too late says how the purchase ends, and changes nothing', async () => {
      let announce = () => {}

      const { ended, verdict } = await withWorker(
        { announceEnd: () => new Promise<void>((resolve) => (announce = resolve)) },
        async ({ taskQueue, calls }) => {
          const handle = await start(taskQueue, buildPurchase(), patient)
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
          const handle = await start(taskQueue, accepted, patient)
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

  describe('whose undos are stuck', () => {
    const declined = async () => ({ outcome: 'rejected', reason: 'payment_declined' }) as const

    /** Two undos that fail until `mended`; the third one does not. */
    async function withStuckUndos<T>(
      body: (context: {
        handle: Awaited<ReturnType<typeof start>>
        calls: string[]
        flagged: AttentionNeeded[]
        acted: OperatorActed[]
        mended: Set<string>
        id: string
      }) => Promise<T>,
    ): Promise<T> {
      const accepted = buildPurchase()
      const mended = new Set<string>()
      const undo = (name: string) => async () => {
        if (!mended.has(name)) throw new Error(`${name} is broken`)
        return done
      }
      return withWorker(
        {
          takePayment: declined,
          refundPayment: undo('refundPayment'),
          releaseStock: undo('releaseStock'),
        },
        async ({ taskQueue, calls, flagged, acted }) => {
          const handle = await start(taskQueue, accepted)
          await temporal.sleep('1 min')
          await waitFor('the flag', () => flagged.length === 1)
          return body({ handle, calls, flagged, acted, mended, id: accepted.purchase_id })
        },
      )
    }

    const ask = (
      handle: Awaited<ReturnType<typeof start>>,
      update: string,
      action: OperatorActed,
    ) =>
      handle.executeUpdate<void, [OperatorActed]>(update, {
        updateId: action.action_id,
        args: [action],
      })

    const stateOf = async (handle: Awaited<ReturnType<typeof start>>) => {
      const { undos } = await handle.query<SagaState>(sagaQuery)
      return Object.fromEntries(undos.map(({ step, state }) => [step, state]))
    }

    it('says which, once, and tries one again at once when it is told to', async () => {
      const { ended, flagged, acted, retry, states } = await withStuckUndos(
        async ({ handle, mended, flagged, acted, id }) => {
          const states = await stateOf(handle)
          mended.add('refundPayment').add('releaseStock')
          const retry = actionOf(id, { step: 'refund-payment' })
          await ask(handle, sagaUpdates.retryUndo, retry)
          await waitFor('the undo', async () => {
            return (await stateOf(handle))['refund-payment'] === 'done'
          })
          const all = actionOf(id, {})
          await ask(handle, sagaUpdates.retryUndo, all)
          return { ended: await handle.result(), flagged, acted, retry: [retry, all], states }
        },
      )

      assert.deepEqual(states, {
        'refund-payment': 'stuck',
        'cancel-order': 'done',
        'release-stock': 'stuck',
      })
      assert.equal(flagged.length, 1)
      assert.deepEqual(flagged[0]?.steps, ['refund-payment', 'release-stock'])
      assert.deepEqual(acted, retry)
      assert.equal(ended.status, 'REJECTED')
      assert.equal(ended.reason, 'payment_declined')
    })

    it('ends RESOLVED when one was given up, after the others are done', async () => {
      const { ended, states, refused } = await withStuckUndos(async ({ handle, mended, id }) => {
        const resolve = actionOf(id, { action: 'resolve', step: 'refund-payment', note: 'by hand' })
        await ask(handle, sagaUpdates.resolveUndo, resolve)
        const states = await stateOf(handle)
        const again = actionOf(id, { action: 'resolve', step: 'refund-payment', note: 'again' })
        const refused = await ask(handle, sagaUpdates.resolveUndo, again).catch((error) => error)
        mended.add('releaseStock')
        await ask(handle, sagaUpdates.retryUndo, actionOf(id, {}))
        return { ended: await handle.result(), states, refused }
      })

      assert.equal(states['refund-payment'], 'resolved')
      assert.equal(states['release-stock'], 'stuck')
      assert.ok(refused instanceof WorkflowUpdateFailedError)
      assert.equal(ended.status, 'RESOLVED')
    })
  })

  it('refuses a purchase that cannot be read under the id that its saga would have had', async () => {
    const purchaseId = randomUUID()

    const ended = await withWorker({}, ({ taskQueue }) =>
      temporal.client.workflow.execute<typeof refusePurchase>('refusePurchase', {
        workflowId: `purchase-${purchaseId}`,
        taskQueue,
        args: [purchaseId],
      }),
    )

    assert.equal(ended.status, 'REJECTED')
    assert.equal(ended.reason, 'invalid')
  })
})

async function waitForCancelRequest(handle: { fetchHistory: () => Promise<History> }) {
  await waitFor('the cancel request to reach the activity', async () => {
    const { events } = await handle.fetchHistory()
    return events?.some((event) => event.activityTaskCancelRequestedEventAttributes)
  })
}

/** The workflow hears of events when it begins a task, so one that completed after the request has heard of it. */
async function cancelWasSeen(handle: { fetchHistory: () => Promise<History> }): Promise<boolean> {
  const events = (await handle.fetchHistory()).events ?? []
  const asked = events.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes)
  const started = events.findIndex(
    (event, index) => index > asked && event.workflowTaskStartedEventAttributes,
  )
  return asked >= 0 && started > asked
}

/** The activities that the server knows, in order; local ones leave markers only. */
async function activitiesOf(handle: { fetchHistory: () => Promise<History> }) {
  const { events } = await handle.fetchHistory()
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
  )
}

/** What the Web UI could filter the purchase by, one after another. */
async function statusesOf(handle: { fetchHistory: () => Promise<History> }): Promise<string[]> {
  const { events } = await handle.fetchHistory()
  return (events ?? []).flatMap(({ upsertWorkflowSearchAttributesEventAttributes: upsert }) => {
    const data = upsert?.searchAttributes?.indexedFields?.PurchaseStatus?.data
    return data ? [JSON.parse(Buffer.from(data).toString())] : []
  })
}

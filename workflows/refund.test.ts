import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { WorkflowUpdateFailedError } from '@temporalio/client'
import { Worker } from '@temporalio/worker'
import type { Activities } from '../activities/index.ts'
import type {
  AttentionNeeded,
  OperatorActed,
  RefundEnded,
  RefundRequested,
} from '../shared/contracts/events.ts'
import { refundWorkflowId } from '../shared/contracts/ids.ts'
import { type RefundState, refundUpdates, sagaQuery } from '../shared/contracts/saga.ts'
import { refundStatus } from '../shared/contracts/search-attributes.ts'
import {
  type RefundCommandName,
  refundCommandNames,
  refundSteps,
} from '../shared/contracts/steps.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { buildRefund } from '../test/helpers/refunds.ts'
import { agreed } from '../test/helpers/replies.ts'
import { withTimeSkippingTemporal } from '../test/helpers/temporal.ts'
import type { refund } from './index.ts'
import type { StepSettings } from './run-step.ts'

/** Whatever a busy machine does, no participant that answers is too late. */
const settings: StepSettings = {
  stepTimeoutMs: 30_000,
  stepAttempts: 3,
  replyWaitMs: 0,
}
const done = { outcome: 'done' } as const
const refused = { outcome: 'rejected', reason: 'refund_refused' } as const

type Participants = Pick<Activities, RefundCommandName>

/** An attempt that leaves no activity open: while one is, the server does not skip. */
async function failure(): Promise<never> {
  throw new Error('unavailable')
}

describe('refund workflow', () => {
  const world = withTimeSkippingTemporal()

  type Told = {
    calls: string[]
    bodies: Record<string, unknown>
    ended: RefundEnded[]
    flagged: AttentionNeeded[]
    acted: OperatorActed[]
  }

  /** Starts a refund whose participants agree, but for `overrides`, and hands it to `body`. */
  async function withRefund<T>(
    overrides: Partial<Participants>,
    body: (
      handle: Awaited<ReturnType<typeof start>>,
      told: Told,
      requested: RefundRequested,
    ) => Promise<T>,
    requested = buildRefund(),
  ): Promise<T> {
    const told: Told = { calls: [], bodies: {}, ended: [], flagged: [], acted: [] }
    const participants = Object.fromEntries(
      refundCommandNames.map((name) => {
        const answer = (overrides[name] ?? (async () => agreed[name])) as (
          ...args: unknown[]
        ) => Promise<unknown>
        const call = (id: string, sent: unknown) => {
          told.calls.push(name)
          told.bodies[name] = sent
          assert.equal(id, requested.purchase_id)
          return answer(id, sent)
        }
        return [name, call]
      }),
    )
    const taskQueue = randomUUID()
    const worker = await Worker.create({
      connection: world.temporal.nativeConnection,
      taskQueue,
      workflowBundle: world.bundle,
      activities: {
        ...participants,
        announceRefundEnd: async (ended: RefundEnded) => {
          told.calls.push('announce')
          told.ended.push(ended)
        },
        announceAttention: async (needed: AttentionNeeded) => void told.flagged.push(needed),
        announceAction: async (action: OperatorActed) => void told.acted.push(action),
      },
    })
    return worker.runUntil(async () => body(await start(taskQueue, requested), told, requested))
  }

  function start(taskQueue: string, requested: RefundRequested) {
    return world.temporal.client.workflow.start<typeof refund>('refund', {
      workflowId: refundWorkflowId(requested.refund_id),
      taskQueue,
      args: [requested, settings],
    })
  }

  const actionOf = (purchase_id: string, action: 'retry' | 'resolve', step: string | null) =>
    ({
      action_id: randomUUID(),
      purchase_id,
      operator: 'lan',
      action,
      step,
      note: null,
      at: new Date().toISOString(),
    }) satisfies OperatorActed

  it('returns the money, then the stock, tells everyone and closes', async () => {
    await withRefund({}, async (handle, { calls, bodies, ended, flagged }, requested) => {
      const { refund_id, amount, product_ids, ...rest } = requested
      const expected: RefundEnded = {
        ...rest,
        ...{ refund_id, amount, status: 'COMPLETED', reason: null, returned: true },
      }
      assert.deepEqual(await handle.result(), expected)
      assert.deepEqual(calls, ['returnMoney', 'returnStock', 'announce', 'closeRefund'])
      assert.deepEqual(bodies, {
        returnMoney: { refund_id, amount },
        returnStock: { refund_id, product_ids },
        closeRefund: { refund_id, status: 'COMPLETED' },
      })
      assert.deepEqual([ended, flagged], [[expected], []])
      const { searchAttributes } = await handle.describe()
      assert.deepEqual(searchAttributes[refundStatus.name], ['COMPLETED'])
    })
  })

  it('leaves the stock alone when nothing is to be put back', async () => {
    const requested = buildRefund({ product_ids: [], seller_id: null })
    await withRefund(
      {},
      async (handle, { calls }) => {
        assert.equal((await handle.result()).status, 'COMPLETED')
        assert.deepEqual(calls, ['returnMoney', 'announce', 'closeRefund'])
      },
      requested,
    )
  })

  it('does nothing else when the provider refuses', async () => {
    await withRefund({ returnMoney: async () => refused }, async (handle, { calls, bodies }) => {
      const { status, reason, returned } = await handle.result()
      assert.deepEqual([status, reason, returned], ['FAILED', 'refund_refused', false])
      assert.deepEqual(calls, ['returnMoney', 'announce', 'closeRefund'])
      assert.equal((bodies.closeRefund as { status: string }).status, 'FAILED')
    })
  })

  for (const name of refundCommandNames) {
    it(`repeats ${name} until it is done, however often it fails, and never goes back`, async () => {
      let failures = 0
      const failing = async () => {
        failures += 1
        if (failures <= 8) throw new Error('unavailable')
        return done
      }
      await withRefund({ [name]: failing }, async (handle, { calls, flagged }) => {
        assert.equal((await handle.result()).status, 'COMPLETED')
        assert.equal(calls.filter((call) => call === name).length, 9)
        const order = [...new Set(calls)]
        assert.deepEqual(order, ['returnMoney', 'returnStock', 'announce', 'closeRefund'])
        assert.deepEqual(
          flagged.map(({ steps, reason }) => [...steps, reason]),
          [[refundSteps[name].step, 'refund_stuck']],
        )
      })
    })
  }

  it('is told by an operator to try a stuck step at once', async () => {
    let answers = false
    const stock = async () => (answers ? done : failure())
    await withRefund({ returnStock: stock }, async (handle, { flagged, acted }, requested) => {
      await world.temporal.sleep('1 min')
      await waitFor('the stuck step', () => flagged.length > 0)
      assert.deepEqual(await handle.query<RefundState>(sagaQuery), {
        steps: [
          { step: 'return-money', state: 'done' },
          { step: 'return-stock', state: 'stuck' },
        ],
      })
      answers = true
      const action = actionOf(requested.purchase_id, 'retry', 'return-stock')
      await handle.executeUpdate(refundUpdates.retry, { args: [action] })
      assert.equal((await handle.result()).status, 'COMPLETED')
      assert.deepEqual(acted, [action])
    })
  })

  it('closes before anything else when an operator returned the money by hand', async () => {
    await withRefund({ returnMoney: failure }, async (handle, told, requested) => {
      await world.temporal.sleep('1 min')
      await waitFor('the stuck step', () => told.flagged.length > 0)
      const action = actionOf(requested.purchase_id, 'resolve', null)
      await handle.executeUpdate(refundUpdates.resolve, { args: [action] })
      const { status, returned } = await handle.result()
      assert.deepEqual([status, returned], ['RESOLVED', false])
      const after = told.calls.filter((call) => call !== 'returnMoney')
      assert.deepEqual(after, ['closeRefund', 'returnStock', 'announce'])
      assert.equal((told.bodies.closeRefund as { status: string }).status, 'RESOLVED')
    })
  })

  it('goes on without the stock when an operator put it back by hand', async () => {
    await withRefund({ returnStock: failure }, async (handle, told, requested) => {
      await world.temporal.sleep('1 min')
      await waitFor('the stuck step', () => told.flagged.length > 0)
      const action = actionOf(requested.purchase_id, 'resolve', 'return-stock')
      await handle.executeUpdate(refundUpdates.resolve, { args: [action] })
      const { status, returned } = await handle.result()
      assert.deepEqual([status, returned], ['RESOLVED', true])
      assert.deepEqual(told.calls.slice(-2), ['announce', 'closeRefund'])
    })
  })

  it('refuses requests that are none, or that no stuck step fits', async () => {
    await withRefund({ closeRefund: failure }, async (handle, told, requested) => {
      await world.temporal.sleep('1 min')
      await waitFor('the stuck step', () => told.flagged.length > 0)
      const { purchase_id } = requested
      for (const [update, action] of [
        [refundUpdates.resolve, actionOf(purchase_id, 'resolve', null)],
        [refundUpdates.retry, actionOf(purchase_id, 'retry', 'return-stock')],
        [refundUpdates.retry, actionOf(randomUUID(), 'retry', null)],
      ] as const) {
        await assert.rejects(
          handle.executeUpdate(update, { args: [action] }),
          WorkflowUpdateFailedError,
        )
      }
      assert.deepEqual(told.acted, [])
      await handle.terminate()
    })
  })

  it('is not stopped by a cancel in Temporal', async () => {
    let answers = false
    const money = async () => (answers ? done : failure())
    await withRefund({ returnMoney: money }, async (handle, { calls }) => {
      await waitFor('the first step', () => calls.length > 0)
      await handle.cancel()
      answers = true
      assert.equal((await handle.result()).status, 'COMPLETED')
    })
  })
})

import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { commandSteps, doNames } from '../shared/contracts/steps.ts'
import {
  type Activities,
  activitiesOf,
  brief,
  done,
  everyUndo,
  type PurchaseHandle,
  stateOf,
  statusesOf,
  withPurchaseWorkers,
} from '../test/helpers/purchase-workflow.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'

describe('purchase workflow shows in the Temporal Web UI', () => {
  const { withWorker, start, buy } = withPurchaseWorkers()

  const showing = { ...brief, showCompleted: true }

  it('that it completed, without a task or an activity more', async () => {
    const { handle } = await buy({}, buildPurchase(), showing)

    assert.deepEqual(await statusesOf(handle), ['COMPLETED'])
    assert.deepEqual(await activitiesOf(handle), [])
    const { events } = await handle.fetchHistory()
    const tasks = events?.filter((event) => event.workflowTaskCompletedEventAttributes)
    assert.equal(tasks?.length, 1)
  })

  it('nothing of that when it started under code that did not', async () => {
    const { handle } = await buy({}, buildPurchase(), brief)

    assert.deepEqual(await statusesOf(handle), [])
  })

  it('that no undo is needed once it is paid for', async () => {
    const { states } = await buyAndAsk({}, async (handle) => ({ states: await stateOf(handle) }))

    assert.deepEqual(new Set(Object.values(states)), new Set(['not_needed']))
    assert.equal(Object.keys(states).length, doNames.length)
  })

  it('which undos are done after it was refused', async () => {
    const rejected = { outcome: 'rejected', reason: 'invalid' } as const
    const { states } = await buyAndAsk({ createOrder: async () => rejected }, async (handle) => ({
      states: await stateOf(handle),
    }))

    assert.deepEqual(states, { 'cancel-order': 'done', 'release-stock': 'done' })
  })

  it('how long each step took, on the fast path too', async () => {
    const rejected = { outcome: 'rejected', reason: 'payment_declined' } as const
    const slowly = async () => {
      // A timer may end a millisecond early.
      await setTimeout(42)
      return done
    }
    const { details } = await buyAndAsk(
      { createOrder: slowly, takePayment: async () => rejected },
      async (handle) => {
        const { currentDetails } = await handle.query<{ currentDetails: string }>(
          '__temporal_workflow_metadata',
        )
        return { details: currentDetails.split('\n') }
      },
    )

    const steps = details.map((line) => / `?([\w-]+)`? (\w+) in (\d+) ms$/.exec(line)?.slice(1, 3))
    assert.deepEqual(steps, [
      ...doNames.map((name) => [
        commandSteps[name].step,
        name === 'takePayment' ? 'payment_declined' : 'done',
      ]),
      ...everyUndo.map((name) => [commandSteps[name].step, 'done']),
    ])
    const took = Number(/in (\d+) ms/.exec(details[1] ?? '')?.[1])
    assert.ok(took >= 40 && took < 5_000, `${took} ms`)
  })

  /** Buys, and asks the saga when it has ended, while its worker still runs. */
  function buyAndAsk<T>(
    overrides: Partial<Activities>,
    ask: (handle: PurchaseHandle) => Promise<T>,
  ): Promise<T> {
    return withWorker(overrides, async ({ taskQueue }) => {
      const handle = await start(taskQueue, buildPurchase(), showing)
      await handle.result()
      return ask(handle)
    })
  }
})

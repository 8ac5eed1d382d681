import assert from 'node:assert/strict'
import { WorkflowUpdateFailedError } from '@temporalio/client'
import type { OperatorActed } from '../shared/contracts/events.ts'
import { sagaUpdates } from '../shared/contracts/saga.ts'
import { commandSteps } from '../shared/contracts/steps.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import {
  actionOf,
  done,
  everyUndo,
  type PurchaseHandle,
  stateOf,
  statusesOf,
  type Worked,
  withPurchaseWorkers,
} from '../test/helpers/purchase-workflow.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'

describe('purchase workflow whose undos are stuck', () => {
  const { world, withWorker, start, buy } = withPurchaseWorkers()

  const declined = async () => ({ outcome: 'rejected', reason: 'payment_declined' }) as const

  /**
   * Two undos that fail until they are held, and are then done when they are released; the third one does not fail.
   * They are retried slowly, too: one that was done before a request for it would leave nothing to ask for.
   */
  async function withStuckUndos<T>(
    body: (
      stuck: Pick<Worked, 'calls' | 'flagged' | 'acted'> & {
        handle: PurchaseHandle
        hold: (name: string) => () => void
        id: string
      },
    ) => Promise<T>,
  ): Promise<T> {
    const accepted = buildPurchase()
    const gates = new Map<string, Promise<void>>()
    const hold = (name: string) => {
      const gate = Promise.withResolvers<void>()
      gates.set(name, gate.promise)
      return gate.resolve
    }
    const undo = (name: string) => async () => {
      const gate = gates.get(name)
      if (!gate) throw new Error(`${name} is broken`)
      await gate
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
        await world.temporal.sleep('1 min')
        await waitFor('the flag', () => flagged.length === 1)
        return body({ handle, calls, flagged, acted, hold, id: accepted.purchase_id })
      },
    )
  }

  const ask = (handle: PurchaseHandle, update: string, action: OperatorActed) =>
    handle.executeUpdate<void, [OperatorActed]>(update, {
      updateId: action.action_id,
      args: [action],
    })

  it('goes on with the other undos while one is stuck, and does not end before it is done', async () => {
    let refusals = 20
    const { ended, calls, handle } = await buy({
      takePayment: async () => ({ outcome: 'rejected', reason: 'payment_declined' }),
      refundPayment: async () => {
        if (refusals-- > 0) throw new Error('the provider is unavailable')
        return done
      },
    })

    const [first = '', last = ''] = [everyUndo[0], everyUndo.at(-1)]
    const firstRound = calls.slice(calls.indexOf(first), calls.indexOf(last) + 1)
    assert.deepEqual([...new Set(firstRound)], everyUndo)
    assert.equal(calls.filter((name) => name === 'refundPayment').length, 21)
    assert.equal(calls.at(-1), 'announceEnd')
    assert.equal(ended.status, 'REJECTED')
    assert.deepEqual(await statusesOf(handle), ['REJECTED', 'NEEDS_ATTENTION', 'REJECTED'])
  })

  it('names them once, and retries one at once on request', async () => {
    const { ended, flagged, acted, retry, states } = await withStuckUndos(
      async ({ handle, hold, flagged, acted, id }) => {
        const states = await stateOf(handle)
        const refund = hold('refundPayment')
        const release = hold('releaseStock')
        const retry = actionOf(id, { step: 'refund-payment' })
        await ask(handle, sagaUpdates.retryUndo, retry)
        refund()
        await waitFor('the undo', async () => {
          return (await stateOf(handle))['refund-payment'] === 'done'
        })
        const all = actionOf(id, {})
        await ask(handle, sagaUpdates.retryUndo, all)
        release()
        return { ended: await handle.result(), flagged, acted, retry: [retry, all], states }
      },
    )

    const areStuck: string[] = ['refundPayment', 'releaseStock']
    assert.deepEqual(
      states,
      Object.fromEntries(
        everyUndo.map((name) => [
          commandSteps[name].step,
          areStuck.includes(name) ? 'stuck' : 'done',
        ]),
      ),
    )
    assert.equal(flagged.length, 1)
    assert.deepEqual(flagged[0]?.steps, ['refund-payment', 'release-stock'])
    assert.deepEqual(acted, retry)
    assert.equal(ended.status, 'REJECTED')
    assert.equal(ended.reason, 'payment_declined')
  })

  it('ends RESOLVED when one was abandoned, after the others are done', async () => {
    const { ended, states, refused } = await withStuckUndos(async ({ handle, hold, id }) => {
      const resolve = actionOf(id, { action: 'resolve', step: 'refund-payment', note: 'by hand' })
      await ask(handle, sagaUpdates.resolveUndo, resolve)
      const states = await stateOf(handle)
      const again = actionOf(id, { action: 'resolve', step: 'refund-payment', note: 'again' })
      const refused = await ask(handle, sagaUpdates.resolveUndo, again).catch((error) => error)
      const release = hold('releaseStock')
      await ask(handle, sagaUpdates.retryUndo, actionOf(id, {}))
      release()
      return { ended: await handle.result(), states, refused }
    })

    assert.equal(states['refund-payment'], 'resolved')
    assert.equal(states['release-stock'], 'stuck')
    assert.ok(refused instanceof WorkflowUpdateFailedError)
    assert.equal(ended.status, 'RESOLVED')
  })
})

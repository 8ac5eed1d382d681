import assert from 'node:assert/strict'
import { Context } from '@temporalio/activity'
import { Worker } from '@temporalio/worker'
import type { PurchaseEnded } from '../../../shared/contracts/events.ts'
import { purchaseWorkflowId } from '../../../shared/contracts/ids.ts'
import { doNames, undoOf } from '../../../shared/contracts/steps.ts'
import type { Running } from '../../../shared/runtime/lifecycle.ts'
import { connectTemporal } from '../../../shared/runtime/temporal.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import {
  holdAt,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../test/helpers/orchestrator.ts'
import { buildPurchase } from '../../../test/helpers/purchases.ts'
import { agreed } from '../../../test/helpers/replies.ts'
import { bundleWorkflows } from '../../../test/helpers/temporal.ts'
import type { purchase } from '../../../workflows/index.ts'

describe('a saga that was ended from outside', function () {
  this.timeout(300_000)

  let shop: TestOrchestrator
  let second: Running

  before(async () => {
    shop = await startOrchestrator()
    second = await shop.startReplica()
  })
  after(async () => {
    await second.close()
    await shop.close()
  })

  for (const command of doNames) {
    it(`goes on where it was terminated, at ${command}, and is undone unless it was paid`, async () => {
      const { participant, release } = holdAt(command)
      const id = await shop.buy(participant)
      await shop.asked(id, command)
      const { runId } = await shop.handleOf(id).describe()

      await shop.handleOf(id).terminate('by mistake')
      await waitFor(
        'another run',
        async () => (await shop.handleOf(id).describe()).runId !== runId,
        60_000,
      )
      await waitFor('the reset to be noted', () => shop.actionsOf(id).length > 0)
      release()
      const { status } = await shop.endOf(id)

      // A payment that the new run asked for before it received the cancel request decides.
      const isPaid = shop.runsThatAsked(id, 'takePayment') > 1
      assert.equal(status, isPaid ? 'COMPLETED' : 'CANCELLED')
      const undos = doNames.map((name) => undoOf[name]).reverse()
      assert.deepEqual(shop.asksOf(id).slice(-3), status === 'CANCELLED' ? undos : doNames)
      const actions = shop.actionsOf(id).map(({ action, operator }) => `${operator} ${action}`)
      assert.deepEqual([...new Set(actions)], ['sweep reset'])
      assert.equal(new Set(shop.actionsOf(id).map(({ action_id }) => action_id)).size, 1)
      assert.equal(((await shop.handleOf(id).result()) as PurchaseEnded).status, status)
    })
  }

  it('keeps the end that it has announced, although it was terminated before it returned', async () => {
    await using open = new AsyncDisposableStack()
    const elsewhere = open.adopt(await connectTemporal(shop.temporal), (it) => it.close())
    const accepted = buildPurchase()
    const id = accepted.purchase_id
    let announced = false
    // A replica that announces, and then hangs.
    const worker = await Worker.create({
      connection: elsewhere.connection,
      namespace: elsewhere.namespace,
      taskQueue: 'elsewhere',
      workflowBundle: await bundleWorkflows(),
      activities: {
        ...Object.fromEntries(doNames.map((name) => [name, async () => agreed[name]])),
        announceEnd: () => {
          announced = true
          return Context.current().cancelled
        },
      },
      shutdownGraceTime: 0,
      shutdownForceTime: '60 s',
    })

    await worker.runUntil(async () => {
      await shop.client.workflow.start<typeof purchase>('purchase', {
        workflowId: purchaseWorkflowId(id),
        taskQueue: 'elsewhere',
        args: [accepted, { stepTimeoutMs: 3_000, stepAttempts: 3, replyWaitMs: 3_000 }],
      })
      await waitFor('the announcement', () => announced)
      await shop.handleOf(id).terminate('by mistake')
    })
    const { status } = await shop.endOf(id)

    assert.equal(status, 'COMPLETED')
    assert.deepEqual(shop.asksOf(id), [])
    assert.equal(((await shop.handleOf(id).result()) as PurchaseEnded).status, 'COMPLETED')
    await waitFor('the recovery to be noted', () => shop.actionsOf(id).length > 0)
  })

  it('stays completed when it was paid for', async () => {
    const id = await shop.buy()
    await shop.endOf(id)

    assert.equal((await shop.cancel({ ...buildPurchase(), purchase_id: id })).verdict, 'COMPLETED')
  })

  it('is reset by hand, from the Web UI, and ends all the same', async () => {
    const { participant, release } = holdAt('createOrder')
    const id = await shop.buy(participant)
    await shop.asked(id, 'createOrder')
    const { runId } = await shop.handleOf(id).describe()
    const history = await shop.handleOf(id).fetchHistory()
    const first = history.events?.find((event) => event.workflowTaskCompletedEventAttributes)
    const { workflowService, options } = shop.client.workflow
    await workflowService.resetWorkflowExecution({
      namespace: options.namespace,
      workflowExecution: { workflowId: `purchase-${id}`, runId },
      reason: 'to see what happens',
      requestId: id,
      workflowTaskFinishEventId: first?.eventId,
    })
    release()

    assert.equal((await shop.endOf(id)).status, 'COMPLETED')
  })

  it('that is too often is shown to an operator, who can insist', async () => {
    // The undo as well: a run that is continued is cancelled, and would end before it is terminated again.
    const { participant, release } = holdAt('reserveStock', 'releaseStock')
    const id = await shop.buy(participant)
    await shop.asked(id, 'reserveStock')
    await waitFor(
      'the flag',
      async () => {
        await shop
          .handleOf(id)
          .terminate('again')
          .catch(() => undefined)
        return shop.flagsOf(id).some(({ reason }) => reason === 'saga_broken')
      },
      // Each run may take a whole sweep, and the time that its cancel request is waited for.
      240_000,
    )

    const { status } = await shop.operate('POST', `/sagas/${id}/retry`, {})
    release()

    assert.equal(status, 202)
    assert.equal((await shop.endOf(id)).status, 'CANCELLED')
  })
})

describe('a saga that does not end', function () {
  this.timeout(180_000)

  it('is shown to an operator, once a replica, and counts no more when it has ended', async () => {
    await using open = new AsyncDisposableStack()
    const shop = open.adopt(
      await startOrchestrator({ overdueMs: 1_000, stepTimeoutMs: 40_000 }),
      (it) => it.close(),
    )
    const { participant, release } = holdAt('createOrder')
    const id = await shop.buy(participant)
    await waitFor('the flag', () => shop.flagsOf(id).length > 0, 90_000)
    release()

    assert.equal((await shop.endOf(id)).status, 'COMPLETED')
    assert.deepEqual(
      shop.flagsOf(id).map(({ reason }) => reason),
      ['saga_overdue'],
    )
  })
})

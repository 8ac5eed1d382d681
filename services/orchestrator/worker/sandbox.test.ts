import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import vm from 'node:vm'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import {
  bundleWorkflows,
  quietTemporal,
  timeSkippingTemporal,
} from '../../../test/helpers/temporal.ts'
import type { refusePurchase } from '../../../workflows/index.ts'
import { workerOptions } from './worker.ts'

describe('the worker of the orchestrator', function () {
  this.timeout(300_000)

  let temporal: TestWorkflowEnvironment
  const { runInContext } = vm.Script.prototype

  before(async () => {
    quietTemporal()
    temporal = await timeSkippingTemporal()
  })

  after(async () => {
    vm.Script.prototype.runInContext = runInContext
    await temporal.teardown()
  })

  it('runs workflows in its own thread, without a thread of their own for each call', async () => {
    const limits: unknown[] = []
    vm.Script.prototype.runInContext = function (context, options) {
      limits.push(options?.timeout)
      return runInContext.call(this, context, options)
    }
    const taskQueue = randomUUID()
    const workflowId = `purchase-${randomUUID()}`
    const worker = await Worker.create({
      connection: temporal.nativeConnection,
      taskQueue,
      workflowBundle: await bundleWorkflows(),
      activities: { announceEnd: async () => undefined },
      ...workerOptions,
    })

    const ended = await worker.runUntil(async () => {
      const handle = await temporal.client.workflow.start<typeof refusePurchase>('refusePurchase', {
        taskQueue,
        workflowId,
        args: [randomUUID()],
      })
      const ended = await handle.result()
      await assert.rejects(handle.query('__stack_trace'), /not enabled/)
      return ended
    })

    assert.equal(ended.status, 'REJECTED')
    assert.ok(limits.length > 3, 'no call came through this thread')
    assert.deepEqual(new Set(limits), new Set([undefined]))
  })
})

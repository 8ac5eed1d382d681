import { createRequire } from 'node:module'

type Create = (bundle: unknown, timeoutMs: number | undefined, ...rest: unknown[]) => unknown

const require = createRequire(import.meta.url)
const sandbox: {
  ReusableVMWorkflowCreator: { create: Create }
} = require('@temporalio/worker/lib/workflow/reusable-vm.js')
const shared: {
  globalHandlers: { setPromiseHook(): void }
} = require('@temporalio/worker/lib/workflow/vm-shared.js')

/*
 * Vendor patch, for @temporalio/worker 1.24.0: neither change has an option.
 *
 * - The SDK gives each call into a workflow a time limit, for which node:vm starts and ends a thread
 * (nodejs/node#47739):
 *   0.1 ms of CPU, some thirty times a purchase. Here a call has no limit.
 * - The SDK notes a stack for each promise of a workflow, for the Web UI's tab of call stacks, and that costs a
 * compiled
 *   function each (temporalio/sdk-typescript#1587). Here the tab says that there are none; failures keep their stacks.
 */

/**
 * Runs workflows in the thread that also talks to Kafka and Temporal, so that no activation is copied between threads.
 */
export const inThisThread = { debugMode: true } as const

const { create } = sandbox.ReusableVMWorkflowCreator
sandbox.ReusableVMWorkflowCreator.create = function createWithoutLimit(
  bundle,
  _timeoutMs,
  ...rest
) {
  return create.call(this, bundle, undefined, ...rest)
}
shared.globalHandlers.setPromiseHook = () => {}

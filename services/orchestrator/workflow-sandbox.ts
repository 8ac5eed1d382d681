import { createRequire } from 'node:module'

type Create = (bundle: unknown, timeoutMs: number | undefined, ...rest: unknown[]) => unknown

const require = createRequire(import.meta.url)
const sandbox: {
  ReusableVMWorkflowCreator: { create: Create }
} = require('@temporalio/worker/lib/workflow/reusable-vm.js')
const shared: {
  globalHandlers: { setPromiseHook(): void }
} = require('@temporalio/worker/lib/workflow/vm-shared.js')

/**
 * The worker's way to run workflows in the thread that also talks to Kafka and Temporal, so that no activation is
 * copied between threads.
 *
 * The SDK gives each call into a workflow a time limit, for which node:vm starts and ends a thread: 0.1 ms of CPU,
 * some thirty times a purchase. And it notes a stack for every promise, for the Web UI's tab of call stacks, which
 * costs a compiled function each. Neither has an option. Here a call has no limit (the SDK's own description of
 * `debugMode`), and the tab says that there are no call stacks; the stacks of failures are still there.
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

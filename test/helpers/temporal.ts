import { TestWorkflowEnvironment } from '@temporalio/testing'
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker'
import { temporalTestServer } from '../../scripts/stack/engines/temporal-test-server.ts'
import { workflowModules } from '../../services/orchestrator/worker/bundle.ts'
import { searchAttributes } from '../../temporal/setup.ts'

let quiet = false

/** The SDK's own log lines would drown the test report. The SDK takes a logger only once in a process. */
export function quietTemporal(): void {
  if (quiet) return
  quiet = true
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR' } },
  })
}

/** The workflows as a worker runs them. Fails when something that is not deterministic got into the bundle. */
export function bundleWorkflows() {
  return bundleWorkflowCode({ ...workflowModules, logger: new DefaultLogger('ERROR') })
}

/** Made once for all files of a run, which takes seconds. */
let bundled: ReturnType<typeof bundleWorkflows> | undefined

/** For a `describe`: such a server, and the bundle of the workflows, before its tests; the server is gone after them. */
export function withTimeSkippingTemporal() {
  const set: { temporal?: TestWorkflowEnvironment; bundle?: WorkflowBundleWithSourceMap } = {}

  before(async function () {
    this.timeout(300_000)
    quietTemporal()
    set.temporal = await timeSkippingTemporal()
    bundled ??= bundleWorkflows()
    set.bundle = await bundled
  })

  after(() => set.temporal?.teardown())

  return set as Required<typeof set>
}

/** A Temporal server whose clock jumps to the next timer, so that a test of timeouts takes no time. */
export async function timeSkippingTemporal(): Promise<TestWorkflowEnvironment> {
  const path = process.env.TEMPORAL_TEST_SERVER ?? (await temporalTestServer())
  const environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  })
  const { operatorService } = environment.connection
  await operatorService.addSearchAttributes({ namespace: 'default', searchAttributes })
  return environment
}

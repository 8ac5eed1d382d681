import { fileURLToPath } from 'node:url'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker'
import { temporalTestServer } from '../../scripts/engines/temporal-test-server.ts'
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
  const workflowsPath = fileURLToPath(import.meta.resolve('../../workflows/index.ts'))
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') })
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

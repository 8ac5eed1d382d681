import { randomBytes } from 'node:crypto'
import { Client } from '@temporalio/client'
import { connectToTemporal } from '../../temporal/connect.ts'
import { searchAttributes } from '../../temporal/setup.ts'
import { testStack } from './stack.ts'

const retentionSeconds = 24 * 60 * 60

/** A namespace of its own on the test stack's Temporal: no other orchestrator takes its work. */
export async function createTestNamespace() {
  const { urls } = await testStack()
  const namespace = `test-${randomBytes(6).toString('hex')}`
  const connection = await connectToTemporal(urls.temporal)
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: retentionSeconds as never },
  })
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes })
  return {
    config: { TEMPORAL_ADDRESS: urls.temporal, TEMPORAL_NAMESPACE: namespace },
    client: new Client({ connection, namespace }),
    close: () => connection.close(),
  }
}

export type TestNamespace = Awaited<ReturnType<typeof createTestNamespace>>

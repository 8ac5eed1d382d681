import type { Connection } from '@temporalio/client'
import {
  customerId,
  failedStep,
  failureReason,
  purchaseIdKey,
  purchaseStatus,
  refundStatus,
} from '../shared/contracts/search-attributes.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { connectToTemporal } from './connect.ts'

/** The shop's namespace. Closed purchases stay readable in the Web UI for a month. */
export const namespace = 'shop'
const retentionSeconds = 30 * 24 * 60 * 60

const keyword = 2
/** What the Web UI can filter by, as the server wants it registered. */
export const searchAttributes = Object.fromEntries(
  [purchaseStatus, refundStatus, purchaseIdKey, customerId, failedStep, failureReason].map(
    ({ name }) => [name, keyword],
  ),
)

const alreadyExists = 6

async function registerNamespace(connection: Connection): Promise<void> {
  const workflowExecutionRetentionPeriod = { seconds: retentionSeconds as never }
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod,
    })
  } catch (error) {
    if ((error as { code?: number }).code !== alreadyExists) throw error
  }
}

/** Registers the namespace and its search attributes; does nothing where they are. */
export async function setUpTemporal(address: string): Promise<void> {
  const connection = await connectToTemporal(address)
  try {
    await registerNamespace(connection)
    // A server that is busy may not know at once what it has registered.
    const { customAttributes } = await waitFor('the namespace', () =>
      connection.operatorService.listSearchAttributes({ namespace }),
    )
    const missing = Object.entries(searchAttributes).filter(([name]) => !(name in customAttributes))
    if (missing.length === 0) return
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing),
    })
  } finally {
    await connection.close()
  }
}

if (import.meta.main) {
  const address = process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233'
  // A server that has just started knows a new namespace only after a moment.
  await waitFor('Temporal', () => setUpTemporal(address).then(() => true), 60_000)
}

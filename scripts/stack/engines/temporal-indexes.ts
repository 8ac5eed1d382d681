import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { connectToTemporal } from '../../../temporal/connect.ts'
import { namespace } from '../../../temporal/setup.ts'
import type { StackInfo } from '../client.ts'

/** What pages of the Web UI search by: lists, the relations of a workflow, schedules. */
const searched = [
  'default_idx',
  'by_workflow_id',
  'by_workflow_type',
  'by_status',
  'by_parent_workflow_id',
  'by_root_workflow_id',
  'by_temporal_namespace_division',
]

/** The columns that keep the search attributes of the shop, such as `Keyword01`. */
async function columnsInUse(address: string): Promise<string[]> {
  const connection = await connectToTemporal(address)
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace })
    return Object.keys(config?.customSearchAttributeAliases ?? {})
  } finally {
    await connection.close()
  }
}

/** The index of `Keyword01` is `by_keyword_01`. */
const indexOf = (column: string) =>
  `by${column.replace(/[A-Z]|\d+/g, (part) => `_${part.toLowerCase()}`)}`

/**
 * The development server indexes each workflow by 57 columns, at its start and again at its end, of which most stay
 * empty: a fifth of its CPU. Drops the indexes that no page and no search attribute of the shop uses, while the server
 * runs, because it makes its tables when it starts first. A search by another column reads all workflows.
 */
export async function dropUnusedIndexes(stack: StackInfo): Promise<void> {
  const columns = await columnsInUse(stack.urls.temporal)
  const kept = new Set([...searched, ...columns.map(indexOf)])
  const db = new DatabaseSync(join(stack.dataDir, 'temporal', 'temporal.db'), { timeout: 10_000 })
  try {
    const indexes = db
      .prepare(
        `SELECT name FROM sqlite_master
         WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`,
      )
      .all() as { name: string }[]
    // One statement each, so that the server never waits long for the write lock.
    for (const { name } of indexes) if (!kept.has(name)) db.exec(`DROP INDEX IF EXISTS "${name}"`)
  } finally {
    db.close()
  }
}

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { connectToTemporal } from '../../../temporal/connect.ts'
import { namespace, searchAttributes } from '../../../temporal/setup.ts'
import { testStack } from '../../../test/helpers/stack.ts'

/** As the server orders every list. */
const newestFirst = `ORDER BY COALESCE(close_time, '9999-12-31 23:59:59+00:00') DESC, start_time DESC, run_id`

/** What the Web UI searches by, besides the search attributes of the shop. */
const columns = [
  'workflow_id',
  'workflow_type_name',
  'status',
  'parent_workflow_id',
  'root_workflow_id',
  'TemporalNamespaceDivision',
]

async function readTables<T>(sql: string): Promise<T[]> {
  const { dataDir } = await testStack()
  const file = join(dataDir, 'temporal', 'temporal.db')
  const db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 })
  try {
    return db.prepare(sql).all() as T[]
  } finally {
    db.close()
  }
}

/** The column of a search attribute: the server gives each the next that is free, in an order by chance. */
async function columnOf(attribute: string): Promise<string> {
  const { urls } = await testStack()
  const connection = await connectToTemporal(urls.temporal)
  try {
    const { config } = await connection.workflowService.describeNamespace({ namespace })
    const aliases = Object.entries(config?.customSearchAttributeAliases ?? {})
    const [column] = aliases.find(([, alias]) => alias === attribute) ?? []
    assert.ok(column, `${attribute} has no column`)
    return column
  } finally {
    await connection.close()
  }
}

async function assertFindsBy(column: string): Promise<void> {
  const steps = await readTables<{ detail: string }>(
    `EXPLAIN QUERY PLAN SELECT run_id FROM executions_visibility
     WHERE namespace_id = 'n' AND ${column} = 'x' ${newestFirst}`,
  )
  const plan = steps.map(({ detail }) => detail).join('; ')
  assert.match(plan, new RegExp(`^SEARCH .* \\(namespace_id=\\? AND ${column}=\\?\\)$`))
}

describe('the indexes of the development server of Temporal', () => {
  for (const column of columns) {
    it(`find the workflows with a ${column}, newest first`, () => assertFindsBy(column))
  }

  for (const attribute of Object.keys(searchAttributes)) {
    it(`find the workflows with a ${attribute}, newest first`, async () => {
      await assertFindsBy(await columnOf(attribute))
    })
  }

  it('leave out the columns that nothing searches by', async () => {
    const indexes = await readTables<{ name: string }>(
      `SELECT name FROM sqlite_master
       WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`,
    )

    const names = indexes.map(({ name }) => name)
    const ofAllWorkflows = 1
    const expected = ofAllWorkflows + columns.length + Object.keys(searchAttributes).length
    assert.equal(names.length, expected, names.join(', '))
  })
})

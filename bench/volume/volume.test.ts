import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Client } from 'pg'
import { type Database, databases } from '../../prisma/databases.ts'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { startTestProvider, type TestProvider } from '../../test/helpers/provider.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { checkRecords } from '../checks.ts'
import { connectRecords } from '../records.ts'
import { plantBacklog } from './backlog.ts'
import { fillDatabases } from './fill.ts'
import { fillProvider } from './fill-provider.ts'
import { bigTables, connectPlanLog, problemOf } from './plans.ts'
import { shapeOf } from './shape.ts'
import { runSweeps } from './sweeps.ts'

/** Odd, so that the shape has to make it even. */
const rows = 2_999
const owners = { customerId: newId(), sellerId: newId() }

describe('the filled shop', function () {
  // Six databases are filled and swept.
  this.timeout(400_000)

  let filled: Record<Database, TestDatabase>
  let urls: Record<Database, string>
  let adminUrls: Record<Database, string>
  let provider: TestProvider
  const shape = shapeOf(rows)

  before(async () => {
    const stack = await testStack()
    const each = <T>(of: (name: Database) => T) =>
      Object.fromEntries(databases.map((name) => [name, of(name)])) as Record<Database, T>
    const created = await Promise.all(databases.map((name) => createTestDatabase(name)))
    filled = each((name) => created[databases.indexOf(name)] as TestDatabase)
    urls = each((name) => filled[name].url)
    adminUrls = each((name) => {
      const path = new URL(urls[name]).pathname
      return databaseUrl(stack, name, 'postgres').replace(/\/[^/]+$/, path)
    })
    await fillDatabases(adminUrls, shape, owners, () => {})
    provider = await startTestProvider()
    await fillProvider(urls.payment, provider.booksFile)
  })

  after(async () => {
    await provider.close()
    await Promise.all(databases.map((name) => filled[name].close()))
  })

  it('is one that the reconciler finds right', async () => {
    const records = connectRecords(urls, provider)

    const { checks, byStatus } = await checkRecords(records)

    await records.close()
    assert.deepEqual(
      checks.filter(({ ok }) => !ok),
      [],
    )
    assert.deepEqual(byStatus, { COMPLETED: 2_760, REJECTED: 240 })
    const refunds = checks.find(({ name }) => name.startsWith('refunds'))
    assert.equal(refunds?.detail, '248 refunds')
  })

  it('has a customer with a tenth of all purchases', async () => {
    const [row] = await filled.purchase.query(
      `SELECT count(*)::int AS count FROM purchases WHERE customer_id = '${owners.customerId}'`,
    )
    assert.equal(row?.count, 300)
  })

  it('is swept by indexes after an outage, and whatever is not is found', async () => {
    const { dataDir } = await testStack()
    const logFile = join(dataDir, 'logs', 'postgres.log')
    const plans = await connectPlanLog(adminUrls.order, logFile, shape.rows)
    await plantBacklog(adminUrls, shape)
    const big = await bigTables(adminUrls, shape.rows)

    await plans.start()
    await runSweeps(urls, shape, owners)
    const client = new Client({ connectionString: urls.order })
    await client.connect()
    await client.query('SELECT count(*) FROM orders WHERE amount = 1')
    await client.end()
    const statements = await plans.stop().finally(plans.close)

    const [unsent] = await filled.account.query('SELECT FROM outbox WHERE sent_at IS NULL LIMIT 1')
    assert.equal(unsent, undefined)
    const ours = statements.filter(({ database }) => big.has(database))
    const wrong = ours.flatMap((statement) => {
      const problem = problemOf(statement, big, shape.rows)
      return problem ? [`${problem}: ${statement.text}`] : []
    })
    assert.deepEqual(wrong, ['reads all of orders: SELECT count(*) FROM orders WHERE amount = 1'])
    assert.ok(ours.length >= 20, `${ours.length}`)
  })
})

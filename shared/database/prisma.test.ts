import assert from 'node:assert/strict'
import { PrismaClient } from '../../prisma/order/client/client.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { isDatabaseUnavailable, isDeterministic } from './failures.ts'
import { connectDatabase } from './prisma.ts'

describe('a database whose connections are all taken', () => {
  it('fails after its deadline, as an unavailable one does', async () => {
    await using open = new AsyncDisposableStack()
    const database = open.adopt(await createTestDatabase('order'), (it) => it.close())
    const client = open.adopt(
      await connectDatabase(PrismaClient, { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 1 }),
      (it) => it.$disconnect(),
    )
    const release = Promise.withResolvers<void>()
    const holding = Promise.withResolvers<void>()
    const held = client.$transaction(async (tx) => {
      await tx.$queryRaw`SELECT 1`
      holding.resolve()
      await release.promise
    })
    await holding.promise

    const both = await Promise.allSettled([
      client.$queryRaw`SELECT 1`,
      client.$transaction((tx) => tx.$queryRaw`SELECT 1`),
    ])
    release.resolve()
    // It has a limit of its own, which frees the connection; the others must not have waited for that.
    await held.catch(() => undefined)

    for (const one of both) {
      assert.ok(one.status === 'rejected')
      assert.ok(isDatabaseUnavailable(one.reason), JSON.stringify(one.reason))
      assert.ok(!isDeterministic(one.reason))
    }
    await client.$queryRaw`SELECT 1`
  })
})

describe('statements of a database', () => {
  it('are planned once by a connection, a bounded number of them', async () => {
    await using open = new AsyncDisposableStack()
    const database = open.adopt(await createTestDatabase('order'), (it) => it.close())
    const client = open.adopt(
      await connectDatabase(PrismaClient, { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 1 }),
      (it) => it.$disconnect(),
    )
    const prepared = async () => {
      const [row] = await client.$queryRaw<{ count: number }[]>`
        SELECT count(*)::int AS count FROM pg_prepared_statements`
      return row?.count ?? 0
    }
    const before = await prepared()

    for (const number of [1, 2, 3]) await client.$queryRaw`SELECT ${number}::int AS number`
    assert.equal(await prepared(), before + 1)

    for (let width = 1; width <= 250; width++) {
      await client.$queryRawUnsafe(`SELECT ${Array(width).fill('1').join(', ')}`)
    }
    assert.equal(await prepared(), 200)
  })
})

import assert from 'node:assert/strict'
import { Client } from 'pg'
import { z } from 'zod'
import { PrismaClient } from '../prisma/order/client/client.ts'
import { createTestDatabase, type TestDatabase } from '../test/helpers/database.ts'
import { AppError } from './errors.ts'
import { isDeterministic } from './faults.ts'
import { newId } from './ids.ts'
import { connectDatabase } from './prisma.ts'

/** What `run` throws. */
async function thrownBy(run: () => unknown): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error
  }
  assert.fail('nothing was thrown')
}

describe('isDeterministic', () => {
  for (const [what, error, expected] of [
    ['an unavailable party', new AppError('unavailable', 'away'), false],
    ['a request that is not valid', new AppError('invalid', 'no'), true],
    ['a conflict', new AppError('conflict', 'no'), true],
    ['a value that zod refuses', z.uuid().safeParse('x').error, true],
    ['text that is no JSON', new SyntaxError('Unexpected token'), true],
    ['a name that is not there', new ReferenceError('x is not defined'), true],
    ['a number out of range', new RangeError('Invalid array length'), true],
    ['a bug of ours', new TypeError('x is not a function'), true],
    ['a broken fetch', new TypeError('fetch failed', { cause: new Error('ECONNRESET') }), false],
    ['an error that nobody knows', new Error('?'), false],
    ['a refused connection', Object.assign(new Error(), { code: 'ECONNREFUSED' }), false],
    ['a gRPC status', Object.assign(new Error(), { code: 14 }), false],
    ['something that is no error', 'text', false],
    ['nothing', {}, false],
  ] as const) {
    it(`${expected ? 'yes' : 'no'}: ${what}`, () => {
      assert.equal(isDeterministic(error), expected)
    })
  }

  describe('of the database', () => {
    let database: TestDatabase
    let prisma: PrismaClient

    before(async () => {
      database = await createTestDatabase('order')
      const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 }
      prisma = await connectDatabase(PrismaClient, config)
    })

    after(async () => {
      await prisma.$disconnect()
      await database.close()
    })

    function buildOrder() {
      const id = newId()
      return { id, customerId: id, status: 'PENDING', amount: 1, currencyCode: 'VND' }
    }

    const cases: Record<string, [boolean, () => unknown]> = {
      'a row that is there already': [
        true,
        async () => {
          const data = buildOrder()
          await prisma.order.create({ data })
          await prisma.order.create({ data })
        },
      ],
      'a row that breaks a check': [
        true,
        () => prisma.order.create({ data: { ...buildOrder(), amount: 0 } }),
      ],
      'a row without its parent': [
        true,
        () =>
          prisma.orderLine.create({
            data: { orderId: newId(), productId: newId(), name: '', quantity: 1, unitPrice: 1 },
          }),
      ],
      'a number that does not fit its column': [
        true,
        () =>
          prisma.orderLine.create({
            data: { orderId: newId(), productId: newId(), name: '', quantity: 3e9, unitPrice: 1 },
          }),
      ],
      'a text that PostgreSQL cannot store': [
        true,
        () => prisma.order.create({ data: { ...buildOrder(), status: '\0' } }),
      ],
      'a value that Prisma refuses': [
        true,
        () => prisma.order.create({ data: { ...buildOrder(), amount: Number.NaN } }),
      ],
      'a value of another type in raw SQL': [true, () => prisma.$queryRaw`SELECT ${'x'}::uuid`],
      'a division by zero in raw SQL': [true, () => prisma.$queryRaw`SELECT 1 / 0`],
      'a table that is not there in raw SQL': [true, () => prisma.$queryRaw`SELECT 1 FROM nowhere`],
      'a check that raw SQL breaks': [
        true,
        () => prisma.$executeRaw`
          INSERT INTO orders (id, customer_id, status, amount, currency_code)
          VALUES (gen_random_uuid(), gen_random_uuid(), 'LOST', 1, 'VND')`,
      ],
      'a statement that takes too long': [
        false,
        () =>
          prisma.$transaction(async (tx) => {
            await tx.$executeRaw`SET LOCAL statement_timeout = 1`
            await tx.$queryRaw`SELECT pg_sleep(5)`
          }),
      ],
      'a serialization failure': [
        false,
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$`,
      ],
      'a deadlock': [
        false,
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$`,
      ],
      'a full disk': [
        false,
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$`,
      ],
      'a connection that the server ended': [
        false,
        () => prisma.$queryRaw`SELECT pg_terminate_backend(pg_backend_pid())`,
      ],
      'no free connection in time': [
        false,
        () => {
          const held = Promise.withResolvers<void>()
          const holders = [1, 2].map(() => prisma.$transaction(() => held.promise))
          return prisma
            .$transaction(async () => undefined, { maxWait: 50 })
            .finally(async () => {
              held.resolve()
              await Promise.all(holders)
            })
        },
      ],
      'a server that is not there': [
        false,
        async () => {
          const url = new URL(database.url)
          url.port = '1'
          const config = { DATABASE_URL: url.href, DATABASE_POOL_SIZE: 1 }
          const nobody = await connectDatabase(PrismaClient, config)
          await nobody.order.count()
        },
      ],
      'pg itself: a row that is there already': [true, () => twice(database.url)],
    }

    for (const [what, [expected, run]] of Object.entries(cases)) {
      it(`${expected ? 'yes' : 'no'}: ${what}`, async () => {
        const error = await thrownBy(run)
        assert.equal(isDeterministic(error), expected, String(error))
      })
    }
  })
})

async function twice(url: string) {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const insert = `INSERT INTO inbox (command_id) VALUES ('twice')`
    await client.query(insert)
    await client.query(insert)
  } finally {
    await client.end()
  }
}

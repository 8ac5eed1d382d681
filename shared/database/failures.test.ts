import assert from 'node:assert/strict'
import { Client } from 'pg'
import { z } from 'zod'
import { PrismaClient } from '../../prisma/order/client/client.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { newId } from '../contracts/ids.ts'
import { AppError } from '../runtime/errors.ts'
import { CircuitOpenError, DeadlineError } from '../runtime/resilience.ts'
import { isDeterministic, isOutage } from './failures.ts'
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

type Kind = 'outage' | 'deterministic' | 'unknown'

function kindOf(error: unknown): Kind {
  if (isOutage(error)) return 'outage'
  return isDeterministic(error) ? 'deterministic' : 'unknown'
}

/** As grpc-js throws it. */
const grpcError = (code: number, details: string) =>
  Object.assign(new Error(`${code} : ${details}`), { code, details })
const wrapped = (cause: unknown) => new Error('wrapped', { cause })
const codedError = (code: string) => Object.assign(new Error(), { code })
const namedError = (name: string) => Object.assign(new Error(), { name })

describe('a failure', () => {
  for (const [what, error, expected] of [
    ['an unavailable party', new AppError('unavailable', 'unavailable'), 'outage'],
    ['a request that came too often', new AppError('too_many_requests', 'later'), 'outage'],
    ['a request that is not valid', new AppError('invalid', 'no'), 'deterministic'],
    ['a conflict', new AppError('conflict', 'no'), 'deterministic'],
    ['a message that Kafka never takes', new AppError('too_large', 'no'), 'deterministic'],
    ['a value that zod refuses', z.uuid().safeParse('x').error, 'deterministic'],
    ['text that is no JSON', new SyntaxError('Unexpected token'), 'deterministic'],
    ['a name that is not there', new ReferenceError('x is not defined'), 'deterministic'],
    ['a number out of range', new RangeError('Invalid array length'), 'deterministic'],
    ['a bug of ours', new TypeError('x is not a function'), 'deterministic'],
    [
      'a broken fetch',
      new TypeError('fetch failed', { cause: codedError('ECONNRESET') }),
      'outage',
    ],
    ['an error that nobody knows', new Error('?'), 'unknown'],
    ['a refused connection', codedError('ECONNREFUSED'), 'outage'],
    [
      'a refused connection to each address',
      new AggregateError([codedError('ECONNREFUSED')]),
      'outage',
    ],
    ['a name that DNS does not know', codedError('ENOTFOUND'), 'outage'],
    ['a full disk', wrapped(codedError('ENOSPC')), 'outage'],
    ['a certificate that is over', codedError('CERT_HAS_EXPIRED'), 'outage'],
    ['an open circuit', new CircuitOpenError(), 'outage'],
    ['no answer in time', wrapped(new DeadlineError('no answer in 5 ms')), 'outage'],
    ['gRPC UNAVAILABLE', wrapped(grpcError(14, 'no connection')), 'outage'],
    ['gRPC DEADLINE_EXCEEDED', grpcError(4, 'Deadline exceeded'), 'outage'],
    ['gRPC RESOURCE_EXHAUSTED', grpcError(8, 'namespace rate limit exceeded'), 'outage'],
    [
      'a message that gRPC never takes',
      grpcError(8, 'received message larger than max'),
      'unknown',
    ],
    [
      'a connection that ends under a call',
      grpcError(13, 'Received RST_STREAM with code 2'),
      'outage',
    ],
    ['gRPC INTERNAL', grpcError(13, 'nil pointer'), 'unknown'],
    ['gRPC INVALID_ARGUMENT', wrapped(grpcError(3, 'invalid RunId')), 'deterministic'],
    ['a number that is no gRPC status', Object.assign(new Error(), { code: 14 }), 'unknown'],
    ['a Temporal without its namespace', namedError('NamespaceNotFoundError'), 'outage'],
    ['Kafka without a broker', namedError('KafkaJSConnectionError'), 'outage'],
    ['Redis without a node', namedError('ClusterAllFailedError'), 'outage'],
    ['a Redis that loads its data', new Error('LOADING Redis is loading the dataset'), 'outage'],
    ['a connection of pg that ended', new Error('Connection terminated unexpectedly'), 'outage'],
    ['an adapter without a server', wrapped({ kind: 'DatabaseNotReachable' }), 'outage'],
    ['something that is no error', 'text', 'unknown'],
    ['nothing', {}, 'unknown'],
  ] as [string, unknown, Kind][]) {
    it(`is ${expected}: ${what}`, () => {
      assert.equal(kindOf(error), expected)
    })
  }

  it('is an outage however deep that is said, and however the causes lead in a circle', () => {
    const bottom = codedError('EPIPE')
    const top = wrapped(wrapped(bottom))
    bottom.cause = top

    assert.equal(kindOf(top), 'outage')
  })

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

    const cases: Record<string, [Kind, () => unknown]> = {
      'a row that is there already': [
        'deterministic',
        async () => {
          const data = buildOrder()
          await prisma.order.create({ data })
          await prisma.order.create({ data })
        },
      ],
      'a row that breaks a check': [
        'deterministic',
        () => prisma.order.create({ data: { ...buildOrder(), amount: 0 } }),
      ],
      'a row without its parent': [
        'deterministic',
        () =>
          prisma.orderLine.create({
            data: { orderId: newId(), productId: newId(), name: '', quantity: 1, unitPrice: 1 },
          }),
      ],
      'a number that does not fit its column': [
        'deterministic',
        () =>
          prisma.orderLine.create({
            data: { orderId: newId(), productId: newId(), name: '', quantity: 3e9, unitPrice: 1 },
          }),
      ],
      'a text that PostgreSQL cannot store': [
        'deterministic',
        () => prisma.order.create({ data: { ...buildOrder(), status: '\0' } }),
      ],
      'a value that Prisma refuses': [
        'deterministic',
        () => prisma.order.create({ data: { ...buildOrder(), amount: Number.NaN } }),
      ],
      'a value of another type in raw SQL': [
        'deterministic',
        () => prisma.$queryRaw`SELECT ${'x'}::uuid`,
      ],
      'a division by zero in raw SQL': ['deterministic', () => prisma.$queryRaw`SELECT 1 / 0`],
      'a table that is not there in raw SQL': [
        'deterministic',
        () => prisma.$queryRaw`SELECT 1 FROM nowhere`,
      ],
      'a check that raw SQL breaks': [
        'deterministic',
        () => prisma.$executeRaw`
          INSERT INTO orders (id, customer_id, status, amount, currency_code)
          VALUES (gen_random_uuid(), gen_random_uuid(), 'LOST', 1, 'VND')`,
      ],
      'an id that no index takes': [
        'deterministic',
        () => prisma.$executeRaw`
          INSERT INTO inbox (command_id) SELECT string_agg(md5(n::text), '') FROM generate_series(1, 400) n`,
      ],
      'access that is refused': [
        'outage',
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '28000'; END $$`,
      ],
      'a server that only reads': [
        'outage',
        () =>
          prisma.$transaction(async (tx) => {
            await tx.$executeRaw`SET TRANSACTION READ ONLY`
            await tx.order.create({ data: buildOrder() })
          }),
      ],
      'a statement that takes too long': [
        'outage',
        () =>
          prisma.$transaction(async (tx) => {
            await tx.$executeRaw`SET LOCAL statement_timeout = 1`
            await tx.$queryRaw`SELECT pg_sleep(5)`
          }),
      ],
      'a serialization failure': [
        'outage',
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$`,
      ],
      'a deadlock': [
        'outage',
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$`,
      ],
      'a full disk': [
        'outage',
        () => prisma.$executeRaw`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$`,
      ],
      'a connection that the server ended': [
        'outage',
        () => prisma.$queryRaw`SELECT pg_terminate_backend(pg_backend_pid())`,
      ],
      'no free connection in time': [
        'outage',
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
        'outage',
        async () => {
          const url = new URL(database.url)
          url.port = '1'
          const config = { DATABASE_URL: url.href, DATABASE_POOL_SIZE: 1 }
          const nobody = await connectDatabase(PrismaClient, config)
          await nobody.order.count()
        },
      ],
      'pg itself: a row that is there already': ['deterministic', () => twice(database.url)],
    }

    for (const [what, [expected, run]] of Object.entries(cases)) {
      it(`is ${expected}: ${what}`, async () => {
        const error = await thrownBy(run)
        assert.equal(kindOf(error), expected, String(error))
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

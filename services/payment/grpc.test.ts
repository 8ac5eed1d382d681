import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { createGrpcHandlers } from './grpc.ts'
import type { PaymentProvider } from './provider.ts'
import { connectRepository, type PaymentRepository } from './repository.ts'

describe('the gRPC calls of payment', () => {
  const open = new AsyncDisposableStack()
  const [id, unasked, customerId] = [newId(), newId(), newId()]
  let database: TestDatabase
  let repository: PaymentRepository

  before(async () => {
    database = open.adopt(await createTestDatabase('payment'), (it) => it.close())
    repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 2 }),
      (it) => it.close(),
    )
    await database.query(
      `INSERT INTO payments (id, customer_id, status, amount, currency_code, method, provider_reference)
       VALUES ('${id}', '${customerId}', 'PENDING', 250, 'VND', 'sim_ok', 'pi_1'),
         ('${unasked}', '${customerId}', 'PENDING', 250, 'VND', 'sim_ok', NULL)`,
    )
  })

  after(() => open.disposeAsync())

  const shown = async (status: PaymentProvider['status'], wanted = id) => {
    const { GetPayments } = createGrpcHandlers(repository, { status })
    const { payments } = await GetPayments({ payment_ids: [wanted, newId()] })
    assert.equal(payments.length, 1)
    return payments[0]
  }

  it('GetPayments shows our row and what the provider says of it', async () => {
    const payment = await shown(async (reference) => (reference === 'pi_1' ? 'CAPTURED' : 'OPEN'))

    assert.equal(payment?.status, 'PENDING')
    assert.equal(payment?.provider_status, 'CAPTURED')
    assert.deepEqual([payment?.customer_id, payment?.method], [customerId, 'sim_ok'])
    assert.equal((await shown(async () => 'OPEN', unasked))?.provider_status, '')
  })

  it('GetPayments shows our row also when the provider fails or hangs', async () => {
    const failing = await shown(async () => {
      throw new Error('no answer')
    })
    const hanging = await shown(() => new Promise(() => undefined))

    assert.equal(failing?.provider_status, 'UNAVAILABLE')
    assert.deepEqual([hanging?.status, hanging?.provider_status], ['PENDING', 'UNAVAILABLE'])
  })

  it('GetPayments refuses ids that are none, and more than 10', async () => {
    const { GetPayments } = createGrpcHandlers(repository, { status: async () => 'OPEN' })
    const many = Array.from({ length: 11 }, newId)

    await assert.rejects(GetPayments({ payment_ids: ['1'] }), { kind: 'invalid' })
    await assert.rejects(GetPayments({ payment_ids: many }), { kind: 'invalid' })
  })
})

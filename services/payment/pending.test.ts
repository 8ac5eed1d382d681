import assert from 'node:assert/strict'
import { pino } from 'pino'
import { newId } from '../../shared/contracts/ids.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { openPaymentDatabase } from '../../test/helpers/payment-database.ts'
import { around, take } from '../../test/helpers/payments.ts'
import { createPendingSweep } from './pending.ts'
import { createProviderGuard } from './provider-guard.ts'
import { createPaymentService } from './service.ts'

const logger = pino({ level: 'silent' })

describe('asking the provider for payments that stay PENDING', () => {
  let payments: Awaited<ReturnType<typeof openPaymentDatabase>>
  let service: ReturnType<typeof createPaymentService>
  let sweep: () => Promise<void>
  let askedFor: (status: string) => Promise<number>

  before(async () => {
    payments = await openPaymentDatabase()
    const metrics = createMetrics('payment')
    const { repository, simulator } = payments
    const guard = createProviderGuard({ slots: 64, timeoutMs: 30_000, openMs: 1, metrics })
    service = createPaymentService({ repository, provider: simulator.provider, guard, logger })
    sweep = createPendingSweep({
      ...{ repository, provider: simulator.provider, guard, metrics, logger },
      overdueMs: 60_000,
    })
    askedFor = async (status) => {
      const counter = await metrics.registry.getSingleMetric('payments_pending_asked_total')?.get()
      return counter?.values.find(({ labels }) => labels.status === status)?.value ?? 0
    }
  })

  after(() => payments.close())

  afterEach(() => payments.simulator.set({ faults: [] }))

  /** A payment of a process that died before it captured, an hour ago. */
  async function prepared(): Promise<string> {
    const id = newId()
    const { repository, simulator, database } = payments
    const dying = createPaymentService({
      repository,
      provider: around(simulator.provider, (name) => {
        if (name === 'capture') throw new Error('the process died')
      }),
      guard: createProviderGuard({
        ...{ slots: 64, timeoutMs: 30_000, metrics: createMetrics('payment') },
      }),
      logger,
    })
    await assert.rejects(dying.takePayment(take(id)))
    await database.query(
      `UPDATE payments SET updated_at = now() - interval '1 hour' WHERE id = '${id}'`,
    )
    return id
  }

  async function statusOf(id: string) {
    const [row] = await payments.database.query(`SELECT status FROM payments WHERE id = '${id}'`)
    return row?.status
  }

  it('leaves one alone that is not captured yet, and its command captures it', async () => {
    const id = await prepared()

    await sweep()

    assert.equal(await askedFor('OPEN'), 1)
    assert.equal(await statusOf(id), 'PENDING')
    assert.deepEqual(payments.simulator.intentsOf(id), ['requires_confirmation'])
    assert.equal((await service.takePayment(take(id))).outcome, 'done')
    assert.deepEqual(payments.simulator.ledgerOf(id), ['CAPTURE'])
  })

  it('asks once while the provider is unavailable, and again after the time', async () => {
    const ids = [await prepared(), await prepared(), await prepared()]
    const before = await askedFor('OPEN')
    await payments.simulator.set({ faults: [{ call: 'error_before', on: ['retrieve'] }] })

    await sweep()
    const unavailable = await askedFor('unavailable')
    await payments.simulator.set({ faults: [] })
    await sweep()
    const soon = await askedFor('OPEN')
    await payments.database.query(`UPDATE payments SET updated_at = now() - interval '1 hour'`)
    await sweep()

    assert.equal(unavailable, 1)
    assert.deepEqual([soon, await askedFor('OPEN')], [before, before + 3])
    for (const id of ids) assert.equal(await statusOf(id), 'PENDING')
  })
})

import assert from 'node:assert/strict'
import { pino } from 'pino'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { ProviderEvent } from '../../shared/contracts/payment.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { operators } from '../../test/helpers/operators.ts'
import { servePaymentEvents } from '../../test/helpers/payment-events.ts'
import { startTestProvider, type TestProvider } from '../../test/helpers/provider.ts'
import { createTcpProxy } from '../../test/helpers/tcp-proxy.ts'
import { connectEventRepository } from './event-repository.ts'
import { createProviderGuard } from './provider-guard.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'

const logger = pino({ level: 'silent' })
const whole = 250

/** The provider sends these itself; `webhooks.test.ts` makes others by hand. */
describe('what the payment provider reports of its own accord', () => {
  const open = new AsyncDisposableStack()
  let database: TestDatabase
  let simulator: TestProvider
  let service: ReturnType<typeof createPaymentService>
  let events: Awaited<ReturnType<typeof connectEventRepository>>
  let api: string

  before(async () => {
    // The provider is told where its events go before there is a server that takes them.
    const target = { host: '127.0.0.1', port: 0 }
    const way = open.adopt(await createTcpProxy(target), (it) => it.close())
    const webhookUrl = `http://127.0.0.1:${way.port}/api/v1/payments/webhooks`
    database = open.adopt(await createTestDatabase('payment'), (it) => it.close())
    simulator = open.adopt(await startTestProvider({ webhookUrl }), (it) => it.close())
    const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }
    const repository = open.adopt(await connectRepository(config), (it) => it.close())
    events = open.adopt(await connectEventRepository(config), (it) => it.close())
    const metrics = createMetrics('payment')
    service = createPaymentService({
      repository,
      provider: simulator.provider,
      guard: createProviderGuard({ slots: 64, timeoutMs: 30_000, metrics }),
      logger,
    })
    const server = await servePaymentEvents({ service, events, simulator, metrics })
    open.defer(() => server.close())
    target.port = server.port
    api = `http://127.0.0.1:${server.port}/api/v1`
  })

  after(() => open.disposeAsync())

  async function pay(method: string) {
    const id = newId()
    const reply = await service.takePayment({
      name: 'takePayment',
      commandId: commandId(id, 'take-payment'),
      purchaseId: id,
      deadline: undefined,
      body: { customer_id: newId(), amount: whole, currency_code: 'VND', method },
    })
    assert.ok(reply.outcome === 'done')
    return { id, reference: `${reply.provider_reference}` }
  }

  async function list(query: string) {
    const headers = { authorization: `Bearer ${operators.token}` }
    const response = await fetch(`${api}/provider-events?${query}`, { headers })
    assert.equal(response.status, 200)
    return (await response.json()) as { items: ProviderEvent[]; next_cursor: string | null }
  }

  /** Waits until so many events of a payment have arrived, and tells what they say. */
  async function eventsOf(id: string, count: number) {
    const events = await waitFor('its events', async () => {
      const found = (await list('limit=100')).items.filter(({ payment_id }) => payment_id === id)
      return found.length >= count && found
    })
    return events
      .map(({ type, outcome, amount }) => [type, outcome, amount])
      .toSorted(([a], [b]) => String(a).localeCompare(String(b)))
  }

  async function statusOf(id: string) {
    const [row] = await database.query(`SELECT status FROM payments WHERE id = '${id}'`)
    return row?.status
  }

  it('shows a dispute as made outside, and changes nothing of the payment', async () => {
    const { id } = await pay('pm_card_createDispute')

    const [dispute, capture] = await eventsOf(id, 2)

    assert.deepEqual(dispute, ['charge.dispute.created', 'OUTSIDE', whole])
    assert.equal(capture?.[0], 'payment_intent.succeeded')
    assert.notEqual(capture?.[1], 'OUTSIDE')
    assert.equal(await statusOf(id), 'CAPTURED')
  })

  it('shows a refund that other hands made at the provider as made outside', async () => {
    const { id, reference } = await pay('pm_card_visa')
    await simulator.stripe.refunds.create({ payment_intent: reference, amount: 100 })

    const [refund] = await eventsOf(id, 2)

    assert.deepEqual(refund, ['charge.refunded', 'OUTSIDE', 100])
    assert.equal(await statusOf(id), 'CAPTURED')
    const outside = (await list('outcome=OUTSIDE')).items.filter(
      ({ payment_id }) => payment_id === id,
    )
    assert.deepEqual(
      outside.map(({ type }) => type),
      ['charge.refunded'],
    )
  })

  it('is listed by the time of the provider, its end excluded', async () => {
    const { id } = await pay('pm_card_visa')
    await eventsOf(id, 1)
    await database.query(
      `UPDATE provider_events SET created_at = '2020-02-01T00:00:00Z' WHERE payment_id = '${id}'`,
    )
    const shown = async (query: string) =>
      (await list(query)).items.map(({ payment_id }) => payment_id)
    const [before, at, after] = ['2020-01-01', '2020-02-01', '2020-03-01'].map(
      (day) => `${day}T00:00:00Z`,
    )

    assert.deepEqual(await shown(`created_to=${after}`), [id])
    assert.deepEqual(await shown(`created_from=${at}&created_to=${after}`), [id])
    assert.deepEqual(await shown(`created_from=${before}&created_to=${at}`), [])
    assert.ok(!(await shown(`created_from=${after}&limit=100`)).includes(id))
    assert.deepEqual(await shown(`created_to=${after}&outcome=OUTSIDE`), [])
  })

  it('is removed after its time, unless other hands made it', async () => {
    const old = "now() - interval '31 days'"
    await database.query(`
      INSERT INTO provider_events (id, type, outcome, created_at, received_at) VALUES
        ('evt_old', 'any', 'KNOWN', ${old}, ${old}), ('evt_outside', 'any', 'OUTSIDE', ${old}, ${old}),
        ('evt_young', 'any', 'SETTLED', now(), now() - interval '29 days')`)

    await events.purgeEvents(30 * 24 * 60 * 60)

    const left = await database.query(
      `SELECT id FROM provider_events WHERE id IN ('evt_old', 'evt_outside', 'evt_young') ORDER BY id`,
    )
    assert.deepEqual(left, [{ id: 'evt_outside' }, { id: 'evt_young' }])
  })

  it('is paged through in the order of its times when a time is asked for', async () => {
    const days = ['2019-01-02', '2019-01-04', '2019-01-03', '2019-01-03', '2019-01-01']
    for (const [index, day] of days.entries()) {
      await database.query(
        `INSERT INTO provider_events (id, type, outcome, created_at) VALUES ('evt_paged${index}', 'any', 'KNOWN', '${day}')`,
      )
    }
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query = `created_from=2019-01-02T00:00:00Z&created_to=2019-02-01T00:00:00Z&limit=2`
      const page = await list(cursor === '' ? query : `${query}&cursor=${cursor}`)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.next_cursor
    }

    assert.deepEqual(
      seen,
      [1, 3, 2, 0].map((index) => `evt_paged${index}`),
    )
  })
})

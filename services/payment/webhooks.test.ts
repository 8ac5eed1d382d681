import assert from 'node:assert/strict'
import { pino } from 'pino'
import { signatureOf } from '../../provider/webhooks.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import type { Command } from '../../shared/messaging/command-handler.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { operators } from '../../test/helpers/operators.ts'
import { servePaymentEvents } from '../../test/helpers/payment-events.ts'
import { startTestProvider, type TestProvider } from '../../test/helpers/provider.ts'
import { connectEventRepository } from './event-repository.ts'
import { createPendingSweep } from './pending.ts'
import { type PaymentProvider, ProviderUnavailableError } from './provider.ts'
import { createProviderGuard } from './provider-guard.ts'
import { connectRepository } from './repository.ts'
import { createPaymentService } from './service.ts'

const logger = pino({ level: 'silent' })
const seconds = () => Math.floor(Date.now() / 1_000)

function take(purchaseId: string, method = 'sim_ok'): Command<'takePayment'> {
  const body = { customer_id: newId(), amount: 250, currency_code: 'VND', method }
  const id = commandId(purchaseId, 'take-payment')
  return { name: 'takePayment', commandId: id, purchaseId, deadline: undefined, body }
}

function refund(purchaseId: string): Command<'refundPayment'> {
  const id = commandId(purchaseId, 'refund-payment')
  return { name: 'refundPayment', commandId: id, purchaseId, deadline: undefined, body: {} }
}

describe('events of the payment provider', () => {
  const open = new AsyncDisposableStack()
  let database: TestDatabase
  let simulator: TestProvider
  let url: string
  let askForPending: () => Promise<void>
  let countOf: (outcome: string) => Promise<number>
  let service: ReturnType<typeof createPaymentService>
  /** Whose captures succeed, with an answer that is lost. */
  const losing = new Set<string>()

  before(async () => {
    database = open.adopt(await createTestDatabase('payment'), (it) => it.close())
    simulator = open.adopt(await startTestProvider(), (it) => it.close())
    const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }
    const repository = open.adopt(await connectRepository(config), (it) => it.close())
    const events = open.adopt(await connectEventRepository(config), (it) => it.close())
    const metrics = createMetrics('payment')
    countOf = async (outcome) => {
      const counter = await metrics.registry.getSingleMetric('payment_provider_events_total')?.get()
      return counter?.values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0
    }
    const guard = createProviderGuard({ slots: 64, timeoutMs: 30_000, openMs: 1, metrics })
    const provider: PaymentProvider = {
      ...simulator.provider,
      async capture(reference) {
        const result = await simulator.provider.capture(reference)
        if (losing.size > 0) throw new ProviderUnavailableError('lost')
        return result
      },
    }
    service = createPaymentService({ repository, provider, guard, logger })
    askForPending = createPendingSweep({
      repository,
      provider: simulator.provider,
      guard,
      overdueMs: 1,
      metrics,
      logger,
    })
    const server = await servePaymentEvents({
      ...{ service, events, simulator, metrics },
      secrets: ['whsec_next', simulator.webhookSecret],
    })
    open.defer(() => server.close())
    url = `http://127.0.0.1:${server.port}/api/v1`
  })

  after(() => open.disposeAsync())

  /** A payment that was captured, while we do not know. */
  async function captureWithoutAnswer(): Promise<{ id: string; reference: string }> {
    const id = newId()
    losing.add(id)
    await assert.rejects(service.takePayment(take(id)))
    losing.delete(id)
    return { id, reference: await referenceOf(id) }
  }

  async function referenceOf(id: string): Promise<string> {
    const [row] = await database.query(`SELECT provider_reference FROM payments WHERE id = '${id}'`)
    return String(row?.provider_reference)
  }

  async function statusOf(id: string) {
    const [row] = await database.query(`SELECT status FROM payments WHERE id = '${id}'`)
    return row?.status
  }

  function buildEvent(type: string, object: object, id = `evt_${newId()}`): string {
    return JSON.stringify({ id, object: 'event', type, created: seconds(), data: { object } })
  }

  const succeeded = (reference: string, amount = 250) =>
    buildEvent('payment_intent.succeeded', {
      id: reference,
      object: 'payment_intent',
      amount_received: amount,
      currency: 'vnd',
    })

  const refunded = (reference: string, amount = 100) =>
    buildEvent('charge.refunded', {
      id: 'ch_1',
      object: 'charge',
      payment_intent: reference,
      amount_refunded: amount,
      currency: 'vnd',
    })

  async function send(
    body: string,
    { secret = simulator.webhookSecret, at = seconds(), signed = body } = {},
  ) {
    const response = await fetch(`${url}/payments/webhooks`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signatureOf(signed, secret, at),
      },
      body,
    })
    const problem = (await response.json()) as { errors?: { field: string }[] }
    return { status: response.status, fields: (problem.errors ?? []).map(({ field }) => field) }
  }

  const storedEvents = (reference: string) =>
    database.query(
      `SELECT outcome FROM provider_events WHERE reference = '${reference}' ORDER BY seq`,
    )

  it('settle a payment whose answer was lost, once', async () => {
    const { id, reference } = await captureWithoutAnswer()
    assert.equal(await statusOf(id), 'PENDING')
    const event = succeeded(reference)
    const before = [await countOf('SETTLED'), await countOf('repeated')] as const

    const answers = await Promise.all([send(event), send(event), send(event)])

    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.equal(await statusOf(id), 'CAPTURED')
    assert.deepEqual(await storedEvents(reference), [{ outcome: 'SETTLED' }])
    assert.equal(await countOf('SETTLED'), before[0] + 1)
    assert.equal(await countOf('repeated'), before[1] + 2)
    const reply = { outcome: 'done', provider_reference: reference }
    assert.deepEqual(await service.takePayment(take(id)), reply)
    assert.deepEqual(simulator.ledgerOf(id), ['CAPTURE'])
  })

  it('change nothing after an undo, however late they come', async () => {
    const { id, reference } = await captureWithoutAnswer()
    assert.deepEqual(await service.refundPayment(refund(id)), { outcome: 'done' })

    await send(refunded(reference, 250))
    await send(succeeded(reference))

    assert.equal(await statusOf(id), 'REFUNDED')
    assert.deepEqual(await storedEvents(reference), [{ outcome: 'KNOWN' }, { outcome: 'KNOWN' }])
    const reply = { outcome: 'rejected', reason: 'undone' }
    assert.deepEqual(await service.takePayment(take(id)), reply)
  })

  it('settle nothing once an undo has begun', async () => {
    const { id, reference } = await captureWithoutAnswer()
    // As it is while the undo waits for the provider.
    await database.query(
      `UPDATE inbox SET undone = true WHERE command_id = '${commandId(id, 'take-payment')}'`,
    )

    await send(succeeded(reference))

    assert.equal(await statusOf(id), 'PENDING')
    assert.deepEqual(await storedEvents(reference), [{ outcome: 'KNOWN' }])
    assert.deepEqual(await service.refundPayment(refund(id)), { outcome: 'done' })
    assert.deepEqual(simulator.ledgerOf(id), ['CAPTURE', 'REFUND'])
  })

  it('about a refund of ours are no surprise, also before its answer', async () => {
    const id = newId()
    await service.takePayment(take(id))
    const reference = await referenceOf(id)
    await database.query(`UPDATE payments SET refunds_claimed = 100 WHERE id = '${id}'`)

    await send(refunded(reference, 100))
    await send(refunded(reference, 101))

    assert.equal(await statusOf(id), 'CAPTURED')
    assert.deepEqual(await storedEvents(reference), [{ outcome: 'KNOWN' }, { outcome: 'OUTSIDE' }])
  })

  it('that other hands caused are stored, and an operator sees them', async () => {
    const id = newId()
    await service.takePayment(take(id))
    const reference = await referenceOf(id)
    await send(refunded(reference))
    const dispute = { id: 'du_1', payment_intent: reference, amount: 250, currency: 'vnd' }
    await send(buildEvent('charge.dispute.created', dispute))
    await send(succeeded('pi_unknown'))
    await send(succeeded(reference, 1))

    assert.equal(await statusOf(id), 'CAPTURED')
    const headers = { authorization: `Bearer ${operators.token}` }
    const listed = await fetch(`${url}/provider-events?outcome=OUTSIDE&limit=3`, { headers })
    const { items, next_cursor } = (await listed.json()) as {
      items: Record<string, unknown>[]
      next_cursor: string
    }
    const seen = items.map(({ type, payment_id, amount }) => [type, payment_id, amount])
    assert.deepEqual(seen, [
      ['payment_intent.succeeded', id, 1],
      ['payment_intent.succeeded', null, 250],
      ['charge.dispute.created', id, 250],
    ])
    const rest = await fetch(`${url}/provider-events?cursor=${next_cursor}&limit=1`, { headers })
    const [oldest] = ((await rest.json()) as { items: Record<string, unknown>[] }).items
    assert.deepEqual([oldest?.type, oldest?.amount], ['charge.refunded', 100])
    assert.equal((await fetch(`${url}/provider-events`)).status, 401)
  })

  it('of types that say nothing here are taken and not stored', async () => {
    const { reference } = await captureWithoutAnswer()
    const { status } = await send(buildEvent('payment_intent.created', { id: reference }))
    assert.equal(status, 200)
    assert.deepEqual(await storedEvents(reference), [])
  })

  it('are refused when they are forged, changed, old or not signed', async () => {
    const { id, reference } = await captureWithoutAnswer()
    const event = succeeded(reference)
    const refusals = [
      await send(event, { secret: 'whsec_forged' }),
      await send(event, { signed: succeeded(reference, 1) }),
      await send(event, { at: seconds() - 301 }),
      await send('not json', { secret: 'whsec_forged' }),
    ]
    for (const { status, fields } of refusals) {
      assert.equal(status, 400)
      assert.deepEqual(fields, ['stripe-signature'])
    }
    const unsigned = await fetch(`${url}/payments/webhooks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: event,
    })
    assert.equal(unsigned.status, 400)
    assert.equal(await statusOf(id), 'PENDING')
    assert.deepEqual(await storedEvents(reference), [])
  })

  describe('that never come', () => {
    it('are asked for: a payment that stays PENDING learns of its capture', async () => {
      const { id, reference } = await captureWithoutAnswer()

      await askForPending()

      assert.equal(await statusOf(id), 'CAPTURED')
      const reply = { outcome: 'done', provider_reference: reference }
      assert.deepEqual(await service.takePayment(take(id)), reply)
    })

    it('change nothing for a payment that is being undone', async () => {
      const { id } = await captureWithoutAnswer()
      await database.query(
        `UPDATE inbox SET undone = true WHERE command_id = '${commandId(id, 'take-payment')}'`,
      )

      await askForPending()

      assert.equal(await statusOf(id), 'PENDING')
    })

    it('settle a payment that was cancelled at the provider', async () => {
      const id = newId()
      losing.add(id)
      await assert.rejects(service.takePayment(take(id, 'sim_declined')))
      losing.delete(id)

      await askForPending()

      assert.equal(await statusOf(id), 'VOIDED')
      const reply = { outcome: 'rejected', reason: 'payment_declined' }
      assert.deepEqual(await service.takePayment(take(id, 'sim_declined')), reply)
    })
  })
})

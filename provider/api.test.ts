import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Stripe from 'stripe'
import { newId } from '../shared/contracts/ids.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { startTestProvider, type TestProvider } from '../test/helpers/provider.ts'

describe('the simulated provider', () => {
  const open = new AsyncDisposableStack()
  let simulator: TestProvider
  let shop: Awaited<ReturnType<typeof startShop>>

  before(async () => {
    shop = open.adopt(await startShop(), (it) => it.close())
    simulator = open.adopt(await startTestProvider({ webhookUrl: shop.url }), (it) => it.close())
  })

  afterEach(() => simulator.set({ faults: [], refund_failures: 1_000_000 }))
  after(() => open.disposeAsync())

  /** Receives events, as the shop does. */
  async function startShop() {
    const received: { event: Stripe.Event; body: string; signature: string }[] = []
    let status = 200
    const server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      response.writeHead(status).end()
      if (status !== 200) return
      const signature = String(request.headers['stripe-signature'])
      received.push({ event: JSON.parse(body), body, signature })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      answer: (next: number) => {
        status = next
      },
      of: (reference: string) => received.filter(({ body }) => body.includes(`"${reference}"`)),
      close: async () => {
        server.closeAllConnections()
        server.close()
      },
    }
  }

  const intent = (key: string, payment_method = 'pm_card_visa', amount = 250) =>
    simulator.stripe.paymentIntents.create(
      { amount, currency: 'vnd', payment_method, metadata: { purchase_id: key } },
      { idempotencyKey: key },
    )

  async function codeOf(call: Promise<unknown>): Promise<string> {
    const error = await call.then(
      () => assert.fail('the call was answered'),
      (cause: unknown) => cause,
    )
    assert.ok(error instanceof Stripe.errors.StripeError, String(error))
    return `${error.statusCode} ${error.code ?? error.rawType}`
  }

  it('makes one intent of one idempotency key, and refuses the key with other parameters', async () => {
    const key = newId()
    const ids = [await intent(key), await intent(key)].map(({ id }) => id)

    assert.equal(ids[0], ids[1])
    assert.equal(await codeOf(intent(key, 'pm_card_visa', 251)), '400 idempotency_error')
  })

  it('answers 409 while a call of the same key is under way', async () => {
    await simulator.set({ faults: [{ call: 'slow', on: ['create'], limit: 1, ms: 1_500 }] })
    const key = newId()
    // Both at once: either may come first.
    const both = await Promise.allSettled([intent(key), intent(key)])
    const [made, ...more] = both.flatMap((call) => (call.status === 'fulfilled' ? call.value : []))
    const [error] = both.flatMap((call) => (call.status === 'rejected' ? [call.reason] : []))

    assert.equal(await codeOf(Promise.reject(error)), '409 idempotency_key_in_use')
    assert.equal(made?.status, 'requires_confirmation')
    assert.deepEqual(more, [])
    assert.equal((await intent(key)).id, made?.id)
  })

  it('captures once, says what state an intent has instead, and refunds in parts', async () => {
    const { paymentIntents, refunds } = simulator.stripe
    const { id } = await intent(newId())
    assert.equal((await paymentIntents.confirm(id)).status, 'succeeded')

    assert.equal(await codeOf(paymentIntents.confirm(id)), '400 payment_intent_unexpected_state')
    assert.equal(await codeOf(paymentIntents.cancel(id)), '400 payment_intent_unexpected_state')
    await refunds.create({ payment_intent: id, amount: 100 })
    assert.match(await codeOf(refunds.create({ payment_intent: id, amount: 151 })), /^400/)
    await refunds.create({ payment_intent: id })
    assert.equal(
      await codeOf(refunds.create({ payment_intent: id })),
      '400 charge_already_refunded',
    )
    const { latest_charge } = await paymentIntents.retrieve(id, { expand: ['latest_charge'] })
    assert.equal((latest_charge as Stripe.Charge).amount_refunded, 250)
  })

  it('lists the refunds of an intent, newest first, in pages', async () => {
    const { paymentIntents, refunds } = simulator.stripe
    const { id } = await intent(newId())
    await paymentIntents.confirm(id)
    const made: string[] = []
    for (const amount of [1, 2, 3]) {
      const refund = { payment_intent: id, amount, metadata: { refund_id: `refund-${amount}` } }
      made.unshift((await refunds.create(refund)).id)
    }

    const first = await refunds.list({ payment_intent: id, limit: 2 })
    assert.deepEqual(
      [first.data.map((refund) => refund.id), first.has_more],
      [made.slice(0, 2), true],
    )
    const cursor = first.data[1]?.id ?? ''
    const rest = await refunds.list({ payment_intent: id, limit: 2, starting_after: cursor })
    assert.deepEqual([rest.data.map((refund) => refund.id), rest.has_more], [made.slice(2), false])
    assert.deepEqual(rest.data[0]?.metadata, { refund_id: 'refund-1' })
    assert.equal(
      await codeOf(refunds.list({ payment_intent: id, starting_after: 're_none' })),
      '404 resource_missing',
    )
  })

  it('gives a part back once per key, also after its keys are gone, and no more than is left', async () => {
    const { provider, stripe, books } = simulator
    const { id } = await intent(newId())
    await stripe.paymentIntents.confirm(id)
    const key = newId()

    const first = await provider.refundPart(id, { amount: 100, key })
    books.exec('DELETE FROM answers')
    const again = await provider.refundPart(id, { amount: 100, key })

    assert.equal(first.outcome, 'refunded')
    assert.deepEqual(again, first)
    const refused = await provider.refundPart(id, { amount: 151, key: newId() })
    assert.equal(refused.outcome, 'refused')
    assert.equal((await provider.refundPart(id, { amount: 150, key: newId() })).outcome, 'refunded')
    const none = await provider.refundPart(id, { amount: 1, key: newId() })
    assert.deepEqual(none, { outcome: 'refused', reason: 'charge_already_refunded' })
    assert.equal((await stripe.refunds.list({ payment_intent: id })).data.length, 2)
  })

  it('never captures what was cancelled', async () => {
    const { paymentIntents } = simulator.stripe
    const { id } = await intent(newId())
    await paymentIntents.cancel(id)
    assert.equal(await codeOf(paymentIntents.confirm(id)), '400 payment_intent_unexpected_state')
    assert.equal((await paymentIntents.retrieve(id)).status, 'canceled')
  })

  it('declines, and refuses methods, parameters, keys and addresses that it does not know', async () => {
    const { paymentIntents } = simulator.stripe
    const { id } = await intent(newId(), 'pm_card_visa_chargeDeclined')
    assert.equal(await codeOf(paymentIntents.confirm(id)), '402 card_declined')
    assert.equal((await paymentIntents.retrieve(id)).status, 'requires_payment_method')

    assert.equal(await codeOf(intent(newId(), 'pm_unknown')), '400 resource_missing')
    const unknown = { amount: 1, currency: 'vnd', color: 'red' } as Stripe.PaymentIntentCreateParams
    assert.equal(await codeOf(paymentIntents.create(unknown)), '400 parameter_unknown')
    assert.equal(await codeOf(paymentIntents.retrieve('pi_none')), '404 resource_missing')
    const stranger = await fetch(`${simulator.url}/v1/payment_intents`, {
      headers: { authorization: 'Bearer sk_test_other' },
    })
    assert.equal(stranger.status, 401)
  })

  it('fails a confirmation once without effect, and refunds as often as it is told', async () => {
    const { paymentIntents, refunds } = simulator.stripe
    const once = await intent(newId(), 'pm_sim_fail_once')
    assert.match(await codeOf(paymentIntents.confirm(once.id)), /^500/)
    assert.equal((await paymentIntents.confirm(once.id)).status, 'succeeded')

    await simulator.set({ refund_failures: 2 })
    const { id } = await intent(newId(), 'pm_sim_refund_fails')
    await paymentIntents.confirm(id)
    assert.match(await codeOf(paymentIntents.cancel(id)), /^500/)
    assert.match(await codeOf(refunds.create({ payment_intent: id })), /^500/)
    assert.equal((await refunds.create({ payment_intent: id })).status, 'succeeded')
  })

  it('limits rates, fails before and after the effect, as it is told', async () => {
    const { paymentIntents } = simulator.stripe
    const [one, other] = [await intent(newId()), await intent(newId())]
    await simulator.set({
      faults: [
        { call: 'rate_limit', on: ['confirm'], limit: 1 },
        { call: 'error_before', on: ['confirm'], limit: 1 },
        { call: 'error_after', on: ['confirm'], limit: 1 },
      ],
    })

    assert.equal(await codeOf(paymentIntents.confirm(one.id)), '429 rate_limit')
    assert.match(await codeOf(paymentIntents.confirm(one.id)), /^500/)
    assert.equal((await paymentIntents.retrieve(one.id)).status, 'requires_confirmation')
    assert.match(await codeOf(paymentIntents.confirm(other.id)), /^500/)
    assert.equal((await paymentIntents.retrieve(other.id)).status, 'succeeded')
  })

  it('lists all intents in pages, newest first, also after a restart', async () => {
    const made: string[] = []
    for (let count = 0; count < 5; count++) made.push((await intent(newId())).id)
    await simulator.restart()

    const { data, has_more } = await simulator.stripe.paymentIntents.list({ limit: 3 })
    const rest = await simulator.stripe.paymentIntents.list({
      limit: 2,
      starting_after: data[2]?.id ?? '',
    })
    assert.deepEqual(
      [...data, ...rest.data].map(({ id }) => id),
      made.reverse(),
    )
    assert.equal(has_more, true)
  })

  it('reports a capture with a signature that the official client accepts', async () => {
    const { id } = await intent(newId())
    await simulator.stripe.paymentIntents.confirm(id)

    const [{ body, signature } = assert.fail()] = await waitFor('the event', () => {
      const found = shop.of(id)
      return found.length > 0 && found
    })
    const { webhooks } = simulator.stripe
    const event = webhooks.constructEvent(body, signature, simulator.webhookSecret)
    assert.equal(event.type, 'payment_intent.succeeded')
    assert.throws(() => webhooks.constructEvent(`${body} `, signature, simulator.webhookSecret))
  })

  it('reports until the shop takes it, also after a restart, and twice or never as told', async () => {
    const { paymentIntents } = simulator.stripe
    const [late, doubled, lost] = [
      await intent(newId()),
      await intent(newId()),
      await intent(newId()),
    ]
    shop.answer(503)
    await paymentIntents.confirm(late.id)
    await simulator.restart()
    shop.answer(200)
    // One that was under way when the provider ended may come again.
    await waitFor('the event', () => shop.of(late.id).length > 0)

    await simulator.set({
      faults: [
        { event: 'drop', limit: 1 },
        { event: 'duplicate', limit: 1 },
      ],
    })
    await paymentIntents.confirm(lost.id)
    await waitFor('the lost event', async () => (await simulator.set({})).drop === 1)
    await paymentIntents.confirm(doubled.id)
    await waitFor('both events', () => shop.of(doubled.id).length === 2)
    assert.equal(shop.of(lost.id).length, 0)
  })
})

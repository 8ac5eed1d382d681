import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import Stripe from 'stripe'
import { connectProviderLedger, listIntents } from '../../bench/provider-ledger.ts'
import { refundRest } from '../../bench/repair-run.ts'
import { stripeMock } from '../../scripts/stack/engines/stripe-mock.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { connectStripe, createStripeProvider } from './stripe-provider.ts'

/**
 * stripe-mock answers with examples and keeps nothing, but refuses every request that Stripe's OpenAPI document does
 * not allow: an unknown path, an unknown parameter, a wrong type.
 */
describe("the requests to the payment provider, by Stripe's OpenAPI document", function () {
  // It is built on a machine that does not have it.
  this.timeout(900_000)

  const open = new AsyncDisposableStack()
  const key = 'sk_test_123'
  let url: string
  let stripe: Stripe

  before(async () => {
    const address = ['-http-addr', '127.0.0.1:0']
    const child = spawn(await stripeMock(), address, { stdio: ['ignore', 'pipe', 'ignore'] })
    const closed = once(child, 'close')
    open.defer(async () => {
      child.kill()
      await closed
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const port = await waitFor(
      'stripe-mock to listen',
      () => /^Listening for HTTP .*:(\d+)$/m.exec(output)?.[1],
    )
    url = `http://127.0.0.1:${port}`
    const client = connectStripe({ url, key, timeoutMs: 5_000, connections: 2 })
    open.defer(async () => client.close())
    stripe = client.stripe
    await waitFor('stripe-mock', () => stripe.paymentIntents.list({ limit: 1 }))
  })

  after(() => open.disposeAsync())

  it('are all accepted', async () => {
    const provider = createStripeProvider(stripe)
    const charge = { key: newId(), amount: 250, currencyCode: 'VND', method: 'sim_ok' }

    const prepared = await provider.prepare(charge)
    assert.equal(prepared.outcome, 'prepared')
    // Its example of an intent is never confirmed, so the answer is none; a request that is refused has a status.
    for (const call of [provider.capture('pi_1'), provider.void('pi_1')]) {
      const cause = await call.then(
        () => undefined,
        (error: Error) => error.cause,
      )
      assert.ok(!(cause instanceof Stripe.errors.StripeError), String(cause))
    }
    assert.deepEqual(await provider.refund('pi_1'), { outcome: 'refunded' })
    const part = { amount: 100, key: newId() }
    assert.equal((await provider.refundPart('pi_1', part)).outcome, 'refunded')
    await provider.status('pi_1')
  })

  it('are all accepted from the reconciler and its repairs', async () => {
    const ledger = connectProviderLedger({ url, key })
    open.defer(async () => ledger.close())
    await ledger.refresh()
    await ledger.renew(['pi_1'])
    // Its list is one page, and ours is not.
    for (const cursor of [{ starting_after: 'pi_1' }, { ending_before: 'pi_1' }]) {
      assert.equal((await listIntents(stripe, cursor)).object, 'list')
    }
    await refundRest(stripe, 'pi_1')
  })

  it('would be refused with a parameter that the document does not know', async () => {
    const wrong = { amount: 1, currency: 'vnd', colour: 'red' } as Stripe.PaymentIntentCreateParams
    await assert.rejects(stripe.paymentIntents.create(wrong), { statusCode: 400 })
    const { prepare } = createStripeProvider(stripe)
    const charge = { key: newId(), amount: 'many' as never, currencyCode: 'VND', method: 'sim_ok' }
    assert.equal((await prepare(charge)).outcome, 'declined')
  })
})

import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { stepped } from '../../test/helpers/clock.ts'
import {
  around,
  done,
  openPayments,
  refund,
  rejected,
  type TestPayments,
  take,
} from '../../test/helpers/payments.ts'
import { type PaymentProvider, ProviderUnavailableError } from './provider.ts'

describe('payments and their provider', () => {
  let payments: TestPayments

  before(async () => {
    payments = await openPayments()
  })

  after(() => payments.close())

  describe('while the provider has no time and says when it will', () => {
    const retryAfterMs = 1_000
    const counting = () => {
      const askedAt: number[] = []
      const providerOf = (real: PaymentProvider) =>
        around(real, (name, when) => {
          if (name === 'prepare' && when === 'before') askedAt.push(performance.now())
        })
      return { askedAt, ...payments.setUp({ providerOf }) }
    }
    const refuse = (limit: number) =>
      payments.simulator.set({ faults: [{ call: 'rate_limit', on: ['create'], limit }] })

    afterEach(() => payments.simulator.set({ faults: [] }))

    it('asks again, and not before that', async () => {
      const { askedAt, takePayment } = counting()
      await refuse(1)
      const id = newId()

      const reply = await takePayment(take(id, {}, Date.now() + 60_000))

      assert.deepEqual(reply, await payments.taken(id))
      const [first = 0, second = 0] = askedAt
      assert.equal(askedAt.length, 2)
      assert.ok(second - first >= retryAfterMs, `asked again after ${second - first} ms`)
      assert.deepEqual(payments.ledgerOf(id), ['CAPTURE'])
    })

    it('leaves a command that cannot wait so long without a reply, and refuses its last delivery', async () => {
      const { askedAt, takePayment } = counting()
      const { refundPayment } = payments.setUp()
      await refuse(2)
      const id = newId()

      // By a clock that is stopped: the command has its time left, and less than the pause, whatever else is slow.
      await stepped(0, () =>
        assert.rejects(takePayment(take(id, {}, Date.now() + retryAfterMs - 100)), NoReplyError),
      )
      assert.equal(askedAt.length, 1)
      assert.equal(await payments.statusOf(id), 'PENDING')

      const last = await takePayment(take(id, {}, Date.now() + 90))
      assert.deepEqual(last, rejected('payment_unavailable'))
      assert.ok(askedAt.length <= 2, `asked ${askedAt.length} times`)
      assert.deepEqual(await refundPayment(refund(id)), done)
      assert.deepEqual(payments.simulator.intentsOf(id), [])
    })
  })

  it('stays without a reply while the answer is lost, until its time is over', async () => {
    const { takePayment } = payments.setUp({ providerTimeoutMs: 300 })
    const { refundPayment } = payments.setUp()
    const id = newId()
    const method = 'sim_timeout'
    await assert.rejects(takePayment(take(id, { method }, Date.now() + 60_000)), NoReplyError)
    await assert.rejects(takePayment(take(id, { method })), NoReplyError)
    assert.equal(await payments.statusOf(id), 'PENDING')

    const unavailable = rejected('payment_unavailable')
    assert.deepEqual(await takePayment(take(id, { method }, Date.now() + 50)), unavailable)
    assert.deepEqual(await takePayment(take(id, { method })), unavailable)
    assert.equal(await payments.statusOf(id), 'PENDING')
    assert.deepEqual(payments.ledgerOf(id), ['CAPTURE'])

    assert.deepEqual(await refundPayment(refund(id)), done)
    assert.equal(await payments.statusOf(id), 'REFUNDED')
    await payments.assertGivenBack(id)
  })

  describe('while the provider does not answer for one method', () => {
    const method = 'sim_timeout'
    const counting = (calls: string[]) => (real: PaymentProvider) => ({
      ...real,
      capture: (reference: string) => {
        calls.push(reference)
        return real.capture(reference)
      },
    })

    it('opens a circuit for that method alone', async () => {
      const calls: string[] = []
      // Longer than any machine takes for this, so that no call is the one that tries later.
      const openMs = 600_000
      const options = { providerTimeoutMs: 1_000, openMs, providerOf: counting(calls) }
      const { takePayment } = payments.setUp(options)
      const { refundPayment } = payments.setUp()
      const ids = Array.from({ length: 20 }, newId)
      for (const id of ids) await assert.rejects(takePayment(take(id, { method })), NoReplyError)
      assert.equal(calls.length, 5)

      const other = newId()
      assert.deepEqual(await takePayment(take(other)), await payments.taken(other))

      for (const id of ids) assert.deepEqual(await refundPayment(refund(id)), done)
      for (const id of ids) await payments.assertGivenBack(id)
    })

    it('tries with one call when the circuit was open for a while', async () => {
      const calls: string[] = []
      const options = { providerTimeoutMs: 300, openMs: 1_000, providerOf: counting(calls) }
      const { takePayment } = payments.setUp(options)
      const attempt = () => assert.rejects(takePayment(take(newId(), { method })), NoReplyError)
      while (calls.length < 5) await attempt()

      await waitFor('a call that tries', async () => {
        await attempt()
        return calls.length === 6
      })
    })

    it('gives one customer a share of the calls, and serves the next customer meanwhile', async () => {
      const answer = Promise.withResolvers<void>()
      let hanging = 0
      const { takePayment } = payments.setUp({
        providerTimeoutMs: 60_000,
        providerOf: (real) => ({
          ...real,
          async prepare(charge) {
            if (charge.method !== method) return real.prepare(charge)
            hanging++
            await answer.promise
            return { outcome: 'declined', reason: 'at last' }
          },
        }),
      })
      const customer_id = newId()
      let abandoned = 0
      const commands = Array.from({ length: 100 }, () => take(newId(), { method, customer_id }))
      const takings = commands.map((command) => takePayment(command).catch(() => void abandoned++))
      await waitFor('what is beyond the share to be abandoned', () => abandoned === 100 - 16)
      assert.equal(hanging, 16)

      const id = newId()
      assert.deepEqual(await takePayment(take(id)), await payments.taken(id))
      answer.resolve()
      await Promise.all(takings)
      assert.equal(abandoned, 100 - 16)
    })
  })

  it('abandons a command without a reply when the provider is unavailable', async () => {
    const { takePayment, refundPayment } = payments.setUp({
      providerOf: (real) =>
        around(real, (name) => {
          if (name !== 'prepare') throw new ProviderUnavailableError('unavailable')
        }),
    })
    const id = newId()
    await assert.rejects(takePayment(take(id)), NoReplyError)
    await assert.rejects(refundPayment(refund(id)), NoReplyError)
    assert.equal(await payments.statusOf(id), 'PENDING')
    const later = payments.setUp()
    assert.deepEqual(await later.refundPayment(refund(id)), done)
    assert.equal(await payments.statusOf(id), 'VOIDED')
    await payments.assertGivenBack(id)
  })
})

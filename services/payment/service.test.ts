import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import {
  around,
  done,
  openPayments,
  refund,
  rejected,
  type TestPayments,
  take,
} from '../../test/helpers/payments.ts'

describe('payments', () => {
  let payments: TestPayments

  before(async () => {
    payments = await openPayments()
  })

  after(() => payments.close())

  describe('takePayment', () => {
    it('captures once, and answers a repeat with the stored reply', async () => {
      const { takePayment } = payments.setUp()
      const id = newId()
      const command = take(id)
      const replies = await Promise.all([command, command, command].map(takePayment))
      const reply = await payments.taken(id)
      assert.match(`${reply.provider_reference}`, /^pi_/)
      assert.deepEqual(replies, [reply, reply, reply])
      assert.deepEqual(await takePayment(command), await payments.taken(id))
      assert.equal(await payments.statusOf(id), 'CAPTURED')
      assert.deepEqual(payments.ledgerOf(id), ['CAPTURE'])
      const answer = payments.simulator.books.prepare('SELECT 1 FROM answers WHERE key = ?')
      assert.ok(answer.get(id), 'its idempotency key is the id of the purchase')
    })

    for (const [method, ledger] of [
      ['sim_declined', ['VOID']],
      ['no_such_method', []],
    ] as const) {
      it(`is declined with ${method}`, async () => {
        const { takePayment, refundPayment } = payments.setUp()
        const id = newId()
        assert.deepEqual(await takePayment(take(id, { method })), rejected('payment_declined'))
        assert.equal(await payments.statusOf(id), 'DECLINED')
        assert.deepEqual(await refundPayment(refund(id)), done)
        assert.equal(await payments.statusOf(id), 'DECLINED')
        assert.deepEqual(payments.ledgerOf(id), ledger)
      })
    }

    it('tries again when the provider is unavailable for a moment', async () => {
      const { takePayment } = payments.setUp()
      const id = newId()
      assert.deepEqual(
        await takePayment(take(id, { method: 'sim_fail_once' })),
        await payments.taken(id),
      )
      assert.deepEqual(payments.ledgerOf(id), ['CAPTURE'])
    })

    for (const [kind, status] of [
      ['captured', 'CAPTURED'],
      ['refunded', 'REFUNDED'],
      ['voided', 'VOIDED'],
    ] as const) {
      it(`stores again a payment whose row is lost and that was ${kind}, and moves no money`, async () => {
        const { takePayment, refundPayment } = payments.setUp()
        const id = newId()
        const method = kind === 'voided' ? 'sim_declined' : 'sim_ok'
        await takePayment(take(id, { method }))
        if (kind === 'refunded') await refundPayment(refund(id))
        const ledger = payments.ledgerOf(id)
        const [row] = await payments.database.query(
          `SELECT provider_reference AS reference FROM payments WHERE id = '${id}'`,
        )
        const provider_reference = String(row?.reference)
        await payments.database.query(`DELETE FROM payments WHERE id = '${id}'`)
        await payments.database.query(`DELETE FROM inbox WHERE command_id LIKE '${id}%'`)
        // The provider keeps a key for a day.
        payments.simulator.books.exec('DELETE FROM answers')

        const reply = await takePayment(take(id, { method, provider_reference }))
        if (kind === 'refunded') await refundPayment(refund(id))

        assert.equal(reply.outcome, kind === 'voided' ? 'rejected' : 'done')
        assert.equal(await payments.statusOf(id), status)
        assert.deepEqual(payments.ledgerOf(id), ledger)
        assert.equal(payments.simulator.intentsOf(id).length, 1)
      })
    }

    it('does not ask the provider for an expired command', async () => {
      const { takePayment, refundPayment } = payments.setUp()
      const id = newId()
      assert.deepEqual(await takePayment(take(id, {}, Date.now() - 1)), rejected('expired'))
      assert.deepEqual(await takePayment(take(id)), rejected('expired'))
      assert.deepEqual(payments.simulator.intentsOf(id), [])
      assert.deepEqual(await refundPayment(refund(id)), done)
      await payments.assertGivenBack(id)
    })

    for (const currency_code of ['ABC', 'vnd']) {
      it(`refuses the currency ${currency_code}`, async () => {
        const { takePayment } = payments.setUp()
        const id = newId()
        assert.deepEqual(await takePayment(take(id, { currency_code })), rejected('invalid'))
        assert.deepEqual(payments.simulator.intentsOf(id), [])
      })
    }

    it('is refused when the charge was voided at the provider by other hands', async () => {
      const { takePayment } = payments.setUp({
        providerOf: (real) => ({
          ...real,
          async capture(reference) {
            await real.void(reference)
            return real.capture(reference)
          },
        }),
      })
      const id = newId()
      assert.deepEqual(await takePayment(take(id)), rejected('payment_declined'))
      assert.equal(await payments.statusOf(id), 'VOIDED')
      assert.deepEqual(payments.ledgerOf(id), ['VOID'])
    })
  })

  describe('refundPayment', () => {
    it('refunds once, however often it is asked', async () => {
      const { takePayment, refundPayment } = payments.setUp()
      const id = newId()
      await takePayment(take(id))
      const replies = await Promise.all([1, 2, 3].map(() => refundPayment(refund(id))))
      assert.deepEqual(replies, [done, done, done])
      assert.deepEqual(await refundPayment(refund(id)), done)
      assert.equal(await payments.statusOf(id), 'REFUNDED')
      assert.deepEqual(payments.ledgerOf(id), ['CAPTURE', 'REFUND'])
      await payments.assertGivenBack(id)
    })

    it('refuses the payment that comes after it, without the provider', async () => {
      const { takePayment, refundPayment } = payments.setUp()
      const id = newId()
      assert.deepEqual(await refundPayment(refund(id)), done)
      assert.deepEqual(await takePayment(take(id)), rejected('undone'))
      assert.deepEqual(payments.simulator.intentsOf(id), [])
    })

    it('gives no reply while giving back fails, and works once the provider does', async () => {
      const { takePayment, refundPayment } = payments.setUp()
      await payments.simulator.set({ refund_failures: 3 })
      const id = newId()
      await takePayment(take(id, { method: 'sim_refund_fails' }))
      for (let attempt = 0; attempt < 3; attempt++) {
        await assert.rejects(refundPayment(refund(id)), NoReplyError)
        assert.equal(await payments.statusOf(id), 'CAPTURED')
      }
      assert.deepEqual(await refundPayment(refund(id)), done)
      await payments.assertGivenBack(id)
    })

    it('wins over a do that is at the provider, whichever gets there first', async () => {
      for (const when of ['before', 'after'] as const) {
        const atProvider = Promise.withResolvers<void>()
        const goOn = Promise.withResolvers<void>()
        const { takePayment } = payments.setUp({
          providerOf: (real) =>
            around(real, async (name, then) => {
              if (name !== 'capture' || then !== when) return
              atProvider.resolve()
              await goOn.promise
            }),
        })
        const { refundPayment } = payments.setUp()
        const id = newId()
        const taking = takePayment(take(id))
        await atProvider.promise
        assert.deepEqual(await refundPayment(refund(id)), done)
        goOn.resolve()
        assert.deepEqual(await taking, rejected('undone'))
        assert.equal(await payments.statusOf(id), when === 'before' ? 'VOIDED' : 'REFUNDED')
        await payments.assertGivenBack(id)
      }
    })
  })
})

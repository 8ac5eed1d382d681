import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import {
  closeCommand,
  moneyCommand,
  openRefunds,
  part,
  type TestRefunds,
} from '../../test/helpers/payment-refunds.ts'
import { around } from '../../test/helpers/payments.ts'

const done = { outcome: 'done' }

describe('refunds that are under way', () => {
  let payments: TestRefunds

  before(async () => {
    payments = await openRefunds()
  })

  afterEach(() => payments.simulator.set({ faults: [] }))

  after(() => payments.close())

  it('give the money back once, however often that is asked, and show it', async () => {
    const { id, seller, buyer, shop } = await payments.pay()
    const refund = await shop.requestBySeller(seller, id, newId(), part(100))
    const command = moneyCommand(id, refund.id, 100)
    const replies = await Promise.all([1, 2, 3].map(() => shop.returnMoney(command)))
    assert.deepEqual(replies, [done, done, done])
    assert.deepEqual(await shop.returnMoney(command), done)
    assert.equal(payments.returnedOf(id), 100)
    assert.deepEqual(await payments.shown(id), { claimed: 100, refunded: 100 })
    const closing = closeCommand(id, refund.id, 'COMPLETED')
    assert.deepEqual(
      [await shop.closeRefund(closing), await shop.closeRefund(closing)],
      [done, done],
    )
    const { refunds, refunded_amount, status } = await shop.getPayment(buyer, id)
    assert.deepEqual([status, refunded_amount], ['CAPTURED', 100])
    assert.deepEqual([refunds[0]?.status, refunds[0]?.returned], ['COMPLETED', true])
  })

  it('leave no reply without an answer of the provider, and then find what it did', async () => {
    const { id, seller, shop } = await payments.pay()
    const refund = await shop.requestBySeller(seller, id, newId(), part(100))
    const command = moneyCommand(id, refund.id, 100)
    for (const call of ['error_before', 'error_after'] as const) {
      await payments.simulator.set({ faults: [{ call, on: ['refund'] }] })
      await assert.rejects(shop.returnMoney(command), NoReplyError)
    }
    await payments.simulator.set({ faults: [] })
    // As after a day: the provider has let go of the key.
    payments.simulator.books.exec('DELETE FROM answers')
    assert.deepEqual(await shop.returnMoney(command), done)
    assert.equal(payments.returnedOf(id), 100)
    assert.deepEqual(await payments.shown(id), { claimed: 100, refunded: 100 })
  })

  it('fail when the provider refuses, and their amount can be asked for again', async () => {
    const { id, seller, shop } = await payments.pay()
    const [row] = await payments.database.query(
      `SELECT provider_reference FROM payments WHERE id = '${id}'`,
    )
    await payments.simulator.stripe.refunds.create({
      payment_intent: String(row?.provider_reference),
      amount: 200,
    })
    const refund = await shop.requestBySeller(seller, id, newId(), part(100))
    const refused = { outcome: 'rejected', reason: 'refund_refused' }
    assert.deepEqual(await shop.returnMoney(moneyCommand(id, refund.id, 100)), refused)
    assert.deepEqual(await shop.returnMoney(moneyCommand(id, refund.id, 100)), refused)
    assert.deepEqual(await shop.closeRefund(closeCommand(id, refund.id, 'FAILED')), done)
    assert.deepEqual(await payments.shown(id), { claimed: 0, refunded: 0 })
    const { status, failure_reason } = await shop.getRecord(refund.id)
    assert.equal(status, 'FAILED')
    assert.ok(failure_reason)
    await shop.requestBySeller(seller, id, newId(), part(50))
  })

  it('give nothing back any more once an operator has resolved them', async () => {
    const { id, seller, shop } = await payments.pay()
    const refund = await shop.requestBySeller(seller, id, newId(), part(100))
    assert.deepEqual(await shop.closeRefund(closeCommand(id, refund.id, 'RESOLVED')), done)
    const late = await shop.returnMoney(moneyCommand(id, refund.id, 100))
    assert.deepEqual(late, { outcome: 'rejected', reason: 'undone' })
    assert.equal(payments.returnedOf(id), 0)
    assert.deepEqual(await payments.shown(id), { claimed: 100, refunded: 0 })
  })

  it('store what the provider did although an operator resolved them meanwhile', async () => {
    const { id, seller, shop } = await payments.pay()
    const refund = await shop.requestBySeller(seller, id, newId(), part(100))
    const [given, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { returnMoney } = payments.setUp({
      providerOf: (real) =>
        around(real, async (name, when) => {
          if (name !== 'refundPart' || when !== 'after') return
          given.resolve()
          await answer.promise
        }),
    })
    const returning = returnMoney(moneyCommand(id, refund.id, 100))
    await given.promise
    assert.equal(payments.returnedOf(id), 100)
    await shop.closeRefund(closeCommand(id, refund.id, 'RESOLVED'))
    answer.resolve()
    assert.deepEqual(await returning, { outcome: 'rejected', reason: 'undone' })
    assert.deepEqual(await payments.shown(id), { claimed: 100, refunded: 100 })
    assert.equal((await shop.getRecord(refund.id)).returned, true)
  })

  it('are refused when payment does not know them', async () => {
    const { id, shop } = await payments.pay()
    const reply = { outcome: 'rejected', reason: 'invalid' }
    assert.deepEqual(await shop.returnMoney(moneyCommand(id, newId(), 100)), reply)
    assert.equal(payments.returnedOf(id), 0)
  })
})

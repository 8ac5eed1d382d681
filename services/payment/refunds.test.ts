import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import type { RefundListQuery } from '../../shared/contracts/refund.ts'
import type { AppError } from '../../shared/runtime/errors.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  closeCommand,
  openRefunds,
  part,
  type TestRefunds,
  whole,
} from '../../test/helpers/payment-refunds.ts'

describe('refunds that are asked for', () => {
  let payments: TestRefunds

  before(async () => {
    payments = await openRefunds()
  })

  afterEach(() => payments.setOrchestrator('available'))

  after(() => payments.close())

  it('are stored once per key, and their saga is started', async () => {
    const { id, seller, shop } = await payments.pay()
    const key = newId()
    const first = await shop.requestBySeller(seller, id, key, part(100))
    assert.deepEqual(
      [first.status, first.amount, first.restock, first.returned],
      ['REQUESTED', 100, false, false],
    )
    assert.deepEqual(await shop.requestBySeller(seller, id, key, part(100)), first)
    await assert.rejects(shop.requestBySeller(seller, id, key, part(101)), {
      kind: 'unprocessable',
      fields: [{ field: 'idempotency-key', rule: 'was used with another request' }],
    })
    assert.deepEqual(await payments.shown(id), { claimed: 100, refunded: 0 })
    await waitFor('the saga', () =>
      payments.started.some(({ refund_id }) => refund_id === first.id),
    )
    const [saga] = payments.started.filter(({ refund_id }) => refund_id === first.id)
    assert.deepEqual(
      [saga?.purchase_id, saga?.seller_id, saga?.amount, saga?.product_ids],
      [id, seller, 100, []],
    )
  })

  it('are about what is left when no amount is named, and then nothing is left', async () => {
    const { id, seller, shop } = await payments.pay()
    await shop.requestBySeller(seller, id, newId(), part(100))
    const rest = await shop.requestBySeller(seller, id, newId(), { ...whole, restock: true })
    assert.deepEqual([rest.amount, rest.restock], [150, true])
    await assert.rejects(shop.requestBySeller(seller, id, newId(), whole), { kind: 'conflict' })
  })

  it('never ask for more than was paid, however many come at once', async () => {
    const { id, seller, shop } = await payments.pay()
    const requests = Array.from({ length: 20 }, () =>
      shop.requestBySeller(seller, id, newId(), part(100)),
    )
    const accepted = (await Promise.allSettled(requests)).filter(
      ({ status }) => status === 'fulfilled',
    )
    assert.equal(accepted.length, 2)
    assert.deepEqual(await payments.shown(id), { claimed: 200, refunded: 0 })
    await assert.rejects(shop.requestBySeller(seller, id, newId(), part(51)), {
      kind: 'unprocessable',
      fields: [{ field: 'amount', rule: 'is more than the 50 that are left to refund' }],
    })
  })

  it('are bounded by the database as well', async () => {
    const { id } = await payments.pay()
    await assert.rejects(
      payments.repository.transaction((tx) =>
        tx.addRefund({
          ...{ id: newId(), paymentId: id, sellerId: null, requestedBy: 'lan' },
          ...{ idempotencyKey: 'k', bodyHash: 'h', productIds: [], reason: 'Too much' },
          amount: 251n,
        }),
      ),
      /payments_refunds_check/,
    )
  })

  it('are a seller’s for the own lines only, and an operator’s for all of it', async () => {
    const { id, seller, shop } = await payments.pay({ amount: 200 })
    await assert.rejects(shop.requestBySeller(seller, id, newId(), part(201)), {
      kind: 'unprocessable',
    })
    const own = await shop.requestBySeller(seller, id, newId(), whole)
    assert.equal(own.amount, 200)
    const rest = await shop.requestByOperator('lan', newId(), { ...whole, payment_id: id })
    assert.deepEqual([rest.amount, rest.requested_by, rest.seller_id], [50, 'lan', null])
  })

  it('are refused to strangers, buyers, and before the purchase is complete', async () => {
    const { id, seller, buyer, shop } = await payments.pay()
    const kindOf = (account: string, payment = id) =>
      shop.requestBySeller(account, payment, newId(), whole).then(
        () => 'accepted',
        (error: AppError) => error.kind,
      )
    assert.equal(await kindOf(newId()), 'not_found')
    assert.equal(await kindOf(seller, newId()), 'not_found')
    assert.equal(await kindOf(buyer), 'forbidden')
    const early = await payments.pay({ seller, status: 'PROCESSING' })
    assert.equal(await kindOf(seller, early.id), 'conflict')
    assert.deepEqual(await payments.shown(early.id), { claimed: 0, refunded: 0 })
  })

  it('are listed to who paid, and to the seller who asked', async () => {
    const { id, seller, buyer, shop } = await payments.pay()
    const first = await shop.requestBySeller(seller, id, newId(), part(1))
    const second = await shop.requestByOperator('lan', newId(), {
      ...part(2),
      payment_id: id,
    })
    const ids = async (account: string) =>
      (await shop.listOf(account, id, { limit: 20 })).items.map((refund) => refund.id)
    assert.deepEqual(await ids(buyer), [second.id, first.id])
    assert.deepEqual(await ids(seller), [first.id])
    await assert.rejects(ids(newId()), { kind: 'not_found' })
    const { refunds, refunded_amount } = await shop.getPayment(buyer, id)
    assert.deepEqual(
      [refunds.map((refund) => refund.id), refunded_amount],
      [[second.id, first.id], 0],
    )
  })

  it('are listed by status and by time, its end excluded, to customers and operators', async () => {
    const { id, buyer, shop } = await payments.pay()
    const ask = () => shop.requestByOperator('lan', newId(), { ...part(1), payment_id: id })
    const [failed, open] = [await ask(), await ask()]
    await shop.closeRefund(closeCommand(id, failed.id, 'FAILED'))
    await payments.database.query(
      `UPDATE refunds SET created_at = created_at - interval '1 minute' WHERE id = '${failed.id}'`,
    )
    const at = open.created_at

    for (const [query, expected] of [
      [{ status: 'FAILED' }, [failed.id]],
      [{ status: 'REQUESTED' }, [open.id]],
      [{ status: 'COMPLETED' }, []],
      [{ created_from: at }, [open.id]],
      [{ created_to: at }, [failed.id]],
      [{ created_from: at, created_to: at }, []],
      [{ created_to: at, status: 'REQUESTED' }, []],
    ] satisfies [Partial<RefundListQuery>, string[]][]) {
      const own = await shop.listOf(buyer, id, { limit: 20, ...query })
      const all = await shop.listRecords({ limit: 20, payment_id: id, ...query })
      for (const { items } of [own, all]) {
        assert.deepEqual(
          items.map((refund) => refund.id),
          expected,
          JSON.stringify(query),
        )
      }
    }
  })

  it('have their saga started by the sweep when the orchestrator did not answer', async () => {
    const { id, seller, shop } = await payments.pay()
    payments.setOrchestrator('unavailable')
    const refund = await shop.requestBySeller(seller, id, newId(), whole)
    payments.setOrchestrator('available')
    const isStarted = () => payments.started.some(({ refund_id }) => refund_id === refund.id)
    const setAskedAt = (time: string) =>
      payments.database.query(`UPDATE refunds SET asked_at = ${time} WHERE id = '${refund.id}'`)
    // A time to come, since a start takes 3 s at most, and a commit on a busy disk may take longer.
    await setAskedAt("now() + interval '1 minute'")
    await shop.startOpen()
    assert.equal(isStarted(), false, 'it is younger than a start takes')
    await setAskedAt("now() - interval '1 minute'")
    await shop.startOpen()
    assert.equal(isStarted(), true)
  })
})

import assert from 'node:assert/strict'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Outgoing } from '../../shared/messaging/bus.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { operators } from '../../test/helpers/operators.ts'
import { endOf, openPurchaseHttp, type PurchaseHttp } from '../../test/helpers/purchase-http.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createGrpcHandlers } from './grpc.ts'

describe('a purchase and its saga', () => {
  const published: Outgoing[] = []
  let shop: PurchaseHttp

  before(async () => {
    shop = await openPurchaseHttp({
      overdueMs: 1,
      publish: async (_topic, message) => {
        published.push(message)
      },
    })
  })

  after(() => shop.close())

  const end = (id: string, status: PurchaseEnded['status']) =>
    shop.service.progress.end(endOf({ id, customerId: null }, status))

  it('shows that it needs attention until it has ended', async () => {
    const { customerId, id } = await shop.stored()
    const shown = async () => (await shop.request(customerId, `/${id}`)).body
    const before = await shown()
    await shop.service.progress.flag(id, 'undo_stuck')
    const flagged = await shown()
    await end(id, 'REJECTED')

    assert.equal(before.needs_attention, false)
    assert.equal(flagged.needs_attention, true)
    assert.equal(flagged.status, before.status)
    assert.equal((await shown()).needs_attention, false)
  })

  it('shows operators all of its row, and why it needs attention, longest first', async () => {
    const { GetRecord, ListAttention } = createGrpcHandlers(shop.repository)
    const [first, second] = [await shop.stored(), await shop.stored()]
    await shop.service.progress.flag(first.id, 'undo_stuck')
    await shop.service.progress.flag(second.id, 'saga_overdue')
    await shop.service.progress.flag(first.id, 'saga_broken')

    const record = await GetRecord({ purchase_id: first.id })
    const { purchases } = await ListAttention({ limit: 100 })

    const flagged = purchases.filter((one) => [first.id, second.id].includes(one.purchase_id))
    assert.deepEqual(
      flagged.map(({ purchase_id, reason }) => [purchase_id, reason]),
      [
        [first.id, 'undo_stuck'],
        [second.id, 'saga_overdue'],
      ],
    )
    assert.equal(flagged[0]?.since, record.needs_attention_at)
    assert.deepEqual([record.attention_reason, record.reason], ['undo_stuck', ''])
    assert.equal(record.accepted.customer_id, first.customerId)
    assert.ok(record.created_at > 0 && record.cancel_requested_at === 0)
    await assert.rejects(GetRecord({ purchase_id: newId() }), { kind: 'not_found' })
    await assert.rejects(ListAttention({ limit: 101 }), { kind: 'invalid' })
  })

  it('is counted by how far it is, once', async () => {
    const { CountOpen } = createGrpcHandlers(shop.repository)
    const before = await CountOpen({})
    const { customerId, id } = await shop.stored()
    const accepted = await CountOpen({})
    const step = { sequence: 10, name: 'reserve-stock', outcome: 'done', reason: null }
    await shop.service.progress.addStep({ ...step, purchaseId: id, at: new Date() })
    const processing = await CountOpen({})
    await shop.repository.requestCancel(id, customerId)
    const cancelling = await CountOpen({})
    await end(id, 'CANCELLED')

    assert.deepEqual(
      [accepted.accepted, processing.processing, cancelling.cancelling],
      [before.accepted + 1, before.processing + 1, before.cancelling + 1],
    )
    assert.ok(accepted.oldest_at > 0 && accepted.oldest_at <= Date.now())
    const { oldest_at: _, ...ended } = await CountOpen({})
    const { oldest_at: __, ...counts } = before
    assert.deepEqual(ended, counts)
  })

  it('keeps what operators did, once, and shows it to operators only', async () => {
    const { customerId, id } = await shop.stored()
    await end(id, 'COMPLETED')
    await shop.service.progress.flag(id, 'undo_stuck')
    const acted = {
      action_id: newId(),
      purchase_id: id,
      operator: 'lan',
      action: 'resolve' as const,
      step: null,
      note: 'settled by hand',
      at: new Date().toISOString(),
    }
    await shop.service.audit.add(acted)
    await shop.service.audit.add(acted)

    const audit = (token: string) =>
      fetch(`${shop.base}/audit/${id}`, { headers: { authorization: `Bearer ${token}` } })
    const told = await audit(operators.token)
    const { purchase_id: _, ...kept } = acted
    assert.deepEqual(await told.json(), { items: [kept] })
    assert.equal((await audit(testTokens.tokenFor(customerId))).status, 401)
    const { body } = await shop.request(customerId, `/${id}`)
    assert.equal(body.needs_attention, false)
  })

  it('that is paid for has its end asked for, once in a while, until it comes', async () => {
    const paid = await shop.stored()
    const unpaid = await shop.stored()
    const fresh = await shop.stored()
    const ended = await shop.stored()
    const longAgo = new Date(Date.now() - 60_000)
    const step = (id: string, sequence: number, name: string, at: Date) =>
      shop.service.progress.addStep({
        purchaseId: id,
        sequence,
        name,
        outcome: 'done',
        reason: null,
        at,
      })
    await Promise.all([
      step(paid.id, 30, 'take-payment', longAgo),
      step(unpaid.id, 20, 'create-order', longAgo),
      step(fresh.id, 30, 'take-payment', new Date()),
      step(ended.id, 30, 'take-payment', longAgo),
    ])
    await end(ended.id, 'COMPLETED')

    await shop.service.stalled.askForEnds()
    await shop.service.stalled.askForEnds()

    const asked = published.filter(({ headers }) => headers?.event === 'settlementOverdue')
    const ids = [paid, unpaid, fresh, ended].map(({ id }) => id)
    assert.deepEqual(
      asked.map(({ key }) => key).filter((key) => ids.includes(key)),
      [paid.id],
    )
  })

  it('that is stalled is published again and its end asked for, also when an operator was told', async () => {
    const { id } = await shop.stored()
    const eventsOf = () =>
      published.filter(({ key }) => key === id).map(({ headers }) => headers?.event)
    const twice = ['purchaseAccepted', 'settlementOverdue']

    await waitFor('the sweep', async () => {
      await shop.service.stalled.restart()
      return eventsOf().length > 0
    })
    assert.deepEqual(eventsOf(), twice)
    await shop.service.progress.flag(id, 'undo_stuck')
    await shop.service.stalled.restart()

    assert.deepEqual(eventsOf(), [...twice, ...twice])
  })
})

import assert from 'node:assert/strict'
import { commands } from '../../shared/contracts/commands.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Purchase } from '../../shared/contracts/purchase.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type Bought, endOf } from '../../test/helpers/purchase-http.ts'
import { openPurchaseOnKafka, type PurchaseOnKafka } from '../../test/helpers/purchase-kafka.ts'

describe('progress of a purchase', () => {
  let shop: PurchaseOnKafka

  before(async () => {
    shop = await openPurchaseOnKafka()
  })

  after(() => shop.close())

  const done = { outcome: 'done' } as const
  const taken = { ...done, provider_reference: 'reference' }
  const rejected = { outcome: 'rejected', reason: 'out_of_stock' } as const

  function seeSteps(purchase: Bought, count: number) {
    return waitFor('the steps', async () => {
      const seen = await shop.see(purchase)
      return seen.steps.length === count && seen
    })
  }

  it('shows each step once, in the order of the saga, and links to what is there', async () => {
    const purchase = await shop.accepted()
    await shop.reply(purchase.id, 'createOrder', done)
    await shop.reply(purchase.id, 'reserveStock', done)
    await shop.reply(purchase.id, 'createOrder', done)
    await shop.reply(purchase.id, 'takePayment', taken)

    const seen = await seeSteps(purchase, 3)
    assert.deepEqual(
      seen.steps.map(({ name, outcome, reason }) => [name, outcome, reason]),
      [
        ['reserve-stock', 'done', null],
        ['create-order', 'done', null],
        ['take-payment', 'done', null],
      ],
    )
    assert.equal(seen.status, 'PROCESSING')
    assert.deepEqual(seen.links, {
      self: `/api/v1/purchases/${purchase.id}`,
      events: `/api/v1/purchases/${purchase.id}/events`,
      cancel: `/api/v1/purchases/${purchase.id}/cancel`,
      order: `/api/v1/orders/${purchase.id}`,
      payment: `/api/v1/payments/${purchase.id}`,
    })
  })

  it('shows why a step was refused, and the first answer only', async () => {
    const purchase = await shop.accepted()
    await shop.reply(purchase.id, 'reserveStock', rejected)
    await shop.reply(purchase.id, 'reserveStock', done)
    await shop.reply(purchase.id, 'releaseStock', done)

    const { steps, links } = await seeSteps(purchase, 2)
    assert.deepEqual(
      steps.map(({ name, outcome, reason }) => [name, outcome, reason]),
      [
        ['reserve-stock', 'rejected', 'out_of_stock'],
        ['release-stock', 'done', null],
      ],
    )
    assert.deepEqual(Object.keys(links), ['self', 'events', 'cancel'])
  })

  it('of a purchase that nobody knows is left alone', async () => {
    await shop.reply(newId(), 'reserveStock', done)
    const purchase = await shop.accepted()
    await shop.reply(purchase.id, 'reserveStock', done)
    await seeSteps(purchase, 1)
  })

  it('never leaves an outcome, and an outcome is never changed', async () => {
    const purchase = await shop.accepted()
    const first = endOf(purchase, 'REJECTED', 'payment_declined', 'take-payment')
    await sendEvent(shop.kafka.publish, 'purchaseEnded', first)
    await waitFor('the end', async () => (await shop.see(purchase)).status === 'REJECTED')
    await sendEvent(shop.kafka.publish, 'purchaseEnded', first)
    await sendEvent(shop.kafka.publish, 'purchaseEnded', endOf(purchase, 'COMPLETED'))
    const marker = await shop.accepted()
    await sendEvent(shop.kafka.publish, 'purchaseEnded', endOf(marker, 'COMPLETED'))
    await shop.reply(purchase.id, 'releaseStock', done)
    await shop.reply(purchase.id, 'reserveStock', done)

    const seen = await seeSteps(purchase, 3)
    await waitFor('the other end', async () => (await shop.see(marker)).status === 'COMPLETED')
    assert.deepEqual(
      [seen.status, seen.reason, seen.failed_step],
      ['REJECTED', 'payment_declined', 'take-payment'],
    )
    assert.equal((await shop.see(purchase)).status, 'REJECTED')
  })

  it('shows the step that ended the purchase once, whether it was answered or not', async () => {
    const [answered, silent] = [await shop.accepted(), await shop.accepted()]
    await shop.reply(answered.id, 'reserveStock', rejected)
    await seeSteps(answered, 1)
    await shop.service.progress.end(endOf(answered, 'REJECTED', 'out_of_stock', 'reserve-stock'))
    await shop.service.progress.end(endOf(silent, 'REJECTED', 'timeout', 'reserve-stock'))
    await shop.service.progress.end(endOf(silent, 'REJECTED', 'timeout', 'reserve-stock'))

    const outcomes = async (purchase: typeof silent) =>
      (await shop.see(purchase)).steps.map(({ at: _, ...step }) => step)
    const step = { name: 'reserve-stock', outcome: 'rejected' }
    assert.deepEqual(await outcomes(answered), [{ ...step, reason: 'out_of_stock' }])
    assert.deepEqual(await outcomes(silent), [{ ...step, reason: 'timeout' }])
  })

  describe('at the end', () => {
    const at = (second: number) => `2026-09-01T10:00:0${second}.000Z`
    const told = (
      step: string,
      second: number,
      outcome: 'done' | 'rejected' | 'timeout' = 'done',
      reason: string | null = null,
    ) => ({ step, outcome, reason, at: at(second) })
    const steps = [
      told('reserve-stock', 1),
      told('take-payment', 2, 'timeout', 'timeout'),
      told('release-stock', 3),
    ]
    const shown = (purchase: Purchase) =>
      purchase.steps.map(({ name, outcome, reason, at }) => ({ step: name, outcome, reason, at }))

    it('are all there, though no reply was read before', async () => {
      const purchase = await shop.accepted()
      await shop.service.progress.end({
        ...endOf(purchase, 'REJECTED', 'timeout', 'take-payment'),
        steps,
      })

      assert.deepEqual(shown(await shop.see(purchase)), steps)
    })

    it('are as the saga saw them: a late reply changes nothing, before the end or after', async () => {
      const purchase = await shop.accepted()
      await shop.reply(purchase.id, 'reserveStock', done)
      await shop.reply(purchase.id, 'takePayment', taken)
      await seeSteps(purchase, 2)
      await shop.service.progress.end({
        ...endOf(purchase, 'REJECTED', 'timeout', 'take-payment'),
        steps,
      })
      await shop.reply(purchase.id, 'takePayment', taken)
      const marker = await shop.accepted()
      await shop.reply(marker.id, 'takePayment', taken)
      await seeSteps(marker, 1)

      assert.deepEqual(shown(await shop.see(purchase)), steps)
    })

    it('of many purchases end while their replies are read', async () => {
      const purchases = await Promise.all(Array.from({ length: 30 }, () => shop.accepted()))
      await Promise.all(
        purchases.flatMap((purchase) => [
          shop.service.progress.end({ ...endOf(purchase, 'REJECTED', 'timeout'), steps }),
          ...(['reserveStock', 'takePayment', 'releaseStock'] as const).map((command) =>
            shop.service.progress.addStep({
              purchaseId: purchase.id,
              sequence: commands[command].sequence,
              name: commands[command].step,
              outcome: 'done',
              reason: null,
              at: new Date(),
            }),
          ),
        ]),
      )

      for (const purchase of purchases) assert.deepEqual(shown(await shop.see(purchase)), steps)
    })
  })

  it('of a purchase that has no row is read, and makes none', async () => {
    const unknown = { id: newId(), customerId: newId() }
    await shop.service.progress.end(endOf(unknown, 'REJECTED'))
    assert.equal((await shop.request(unknown.customerId, `/${unknown.id}`)).status, 404)
  })
})

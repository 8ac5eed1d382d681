import assert from 'node:assert/strict'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  end,
  openProgressReplicas,
  type ProgressReplicas,
  step,
  streams,
  unavailable,
} from '../../test/helpers/progress-feed.ts'
import { uniqueName } from '../../test/helpers/redis.ts'

describe('the progress of a purchase, live', () => {
  let shop: ProgressReplicas

  before(async () => {
    shop = await openProgressReplicas()
  })

  afterEach(() => shop.closeTest())

  after(() => shop.close())

  it('sends each step as it happens, whichever replica stored it, and then the end', async () => {
    const prefix = uniqueName()
    const [writer, reader] = [
      await shop.createReplica({ prefix }),
      await shop.createReplica({ prefix }),
    ]
    const purchase = await shop.accept()
    await step(writer, purchase, 'reserveStock')
    const { response, told, ids, ended } = await shop.listen(reader, purchase)
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    await waitFor('the first step', () => ids().length === 1)

    await step(writer, purchase, 'createOrder')
    await step(writer, purchase, 'createOrder')
    await step(writer, purchase, 'takePayment')
    await waitFor('the steps', () => ids().length === 3)
    await end(writer, purchase)
    await ended()

    assert.deepEqual(ids(), [10, 20, 30, 1_000])
    assert.deepEqual(
      told.map(({ event, data }) => [event, data.name ?? data.status]),
      [
        ['step', 'reserve-stock'],
        ['step', 'create-order'],
        ['step', 'take-payment'],
        ['end', 'COMPLETED'],
      ],
    )
    assert.deepEqual(told[3]?.data, await reader.progress.getOwn(purchase.customerId, purchase.id))
  })

  it('continues after the last event that the client has, and is over after the end', async () => {
    const replica = await shop.createReplica()
    const purchase = await shop.accept()
    for (const command of ['reserveStock', 'createOrder', 'takePayment'] as const) {
      await step(replica, purchase, command)
    }
    await end(replica, purchase)

    const late = await shop.listen(replica, purchase, 20)
    await late.ended()

    assert.deepEqual(late.ids(), [30, 1_000])
    assert.equal((await shop.listen(replica, purchase, 1_000)).response.status, 204)
    assert.equal((await shop.listen(replica, purchase, 'x')).response.status, 400)
  })

  it('continues after what the client was told elsewhere, whatever is known here', async () => {
    const replica = await shop.createReplica()
    const purchase = await shop.accept()
    const late = await shop.listen(replica, purchase, 20)
    for (const command of ['reserveStock', 'createOrder', 'takePayment'] as const) {
      await step(replica, purchase, command)
    }
    await end(replica, purchase)
    await late.ended()

    assert.deepEqual(late.ids(), [30, 1_000])
  })

  it('sends a client that comes again the first step, when the second one was all that it had', async () => {
    const replica = await shop.createReplica({ nodes: unavailable })
    const purchase = await shop.accept()
    const first = await shop.listen(replica, purchase)
    await step(replica, purchase, 'createOrder')
    await waitFor('the second step', () => first.ids().length === 1)
    first.leave()
    await step(replica, purchase, 'reserveStock')
    await end(replica, purchase)

    const second = await shop.listen(replica, purchase, first.told[0]?.id)
    await second.ended()

    assert.deepEqual([...first.ids(), ...second.ids()], [20, 10, 1_000])
  })

  it('sends a step that is known only after later ones before the end', async () => {
    const replica = await shop.createReplica()
    const purchase = await shop.accept()
    const { ids, ended } = await shop.listen(replica, purchase)
    await step(replica, purchase, 'reserveStock')
    await step(replica, purchase, 'refundPayment')
    await waitFor('the undo', () => ids().includes(40))

    await end(replica, purchase, 'REJECTED', 'timeout', 'take-payment')
    await ended()

    assert.deepEqual(ids(), [10, 40, 30, 1_000])
  })

  it('sends a client that comes again each step once, also one that is known only after later ones', async () => {
    // Without Redis, so that what is known when it comes again is not from before.
    const replica = await shop.createReplica({ nodes: unavailable })
    const purchase = await shop.accept()
    const first = await shop.listen(replica, purchase)
    await step(replica, purchase, 'reserveStock')
    await step(replica, purchase, 'refundPayment')
    await waitFor('the undo', () => first.ids().includes(40))
    first.leave()
    await end(replica, purchase, 'REJECTED', 'timeout', 'take-payment')

    const second = await shop.listen(replica, purchase, first.told.at(-1)?.id)
    await second.ended()
    const third = await shop.listen(replica, purchase, second.told[0]?.id)
    await third.ended()

    assert.deepEqual([...first.ids(), ...second.ids()], [10, 40, 30, 1_000])
    assert.deepEqual(third.ids(), [1_000])
  })

  it('asks the database once a second for all who watch, and for no more than the end', async () => {
    const replica = await shop.createReplica()
    const purchases = [await shop.accept(), await shop.accept(), await shop.accept()]
    for (const purchase of purchases) await step(replica, purchase, 'reserveStock')
    const readers = await Promise.all(purchases.map((purchase) => shop.listen(replica, purchase)))
    await waitFor('the steps', () => readers.every(({ ids }) => ids().length === 1))
    const before = replica.queries()
    const started = performance.now()

    for (const purchase of purchases) await end(replica, purchase)
    await Promise.all(readers.map(({ ended }) => ended()))

    // A flush or a look for each end at most, and the looks of each second.
    const allowed = 2 * purchases.length + (performance.now() - started) / 1_000 + 1
    assert.ok(replica.queries() - before <= allowed, `${replica.queries() - before} queries`)
  })

  it('opens no more streams than it may, and one again when a client is gone', async () => {
    const replica = await shop.createReplica({ limits: { ...streams, max: 1 } })
    const purchase = await shop.accept()
    const first = await shop.listen(replica, purchase)

    const second = await shop.listen(replica, purchase)
    assert.equal(second.response.status, 503)
    assert.equal(second.response.headers.get('retry-after'), '1')
    first.leave()

    await waitFor(
      'room',
      async () => (await shop.listen(replica, purchase)).response.status === 200,
    )
  })

  it('ends a stream at its deadline, and all of them when the process drains', async () => {
    const short = await shop.createReplica({ limits: { ...streams, deadlineMs: 50 } })
    const draining = await shop.createReplica()
    const purchase = await shop.accept()
    const expiring = await shop.listen(short, purchase)
    const open = await shop.listen(draining, purchase)

    await expiring.ended()
    await draining.close()
    await open.ended()

    assert.deepEqual([expiring.ids(), open.ids()], [[], []])
  })
})

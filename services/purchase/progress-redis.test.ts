import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  end,
  openProgressReplicas,
  type ProgressReplicas,
  type Replica,
  step,
  unavailable,
} from '../../test/helpers/progress-feed.ts'
import type { Bought } from '../../test/helpers/purchase-http.ts'
import { closedPort, uniqueName } from '../../test/helpers/redis.ts'

describe('the progress of a purchase, live, through Redis', () => {
  let shop: ProgressReplicas

  before(async () => {
    shop = await openProgressReplicas()
  })

  afterEach(() => shop.closeTest())

  after(() => shop.close())

  /** A customer watches their own purchase in another replica. */
  async function watchElsewhere({ prefix, test }: Replica): Promise<void> {
    await shop.listen(await shop.createReplica({ prefix }), await shop.accept())
    await waitFor('the others to know', () =>
      test.redis.cluster.exists(`${prefix}progress:watched`),
    )
  }

  const streamKey = ({ prefix }: Replica, { id }: Bought) => `${prefix}progress:{${id}}:stream`
  const hashKey = ({ prefix }: Replica, { id }: Bought) => `${prefix}progress:{${id}}`

  it('sends the same without Redis', async () => {
    const [writer, reader] = [
      await shop.createReplica({ nodes: unavailable }),
      await shop.createReplica({ nodes: unavailable }),
    ]
    const purchase = await shop.accept()
    const { ids, ended } = await shop.listen(reader, purchase)

    await step(writer, purchase, 'reserveStock')
    await end(writer, purchase)
    await ended()

    assert.deepEqual(ids(), [10, 1_000])
  })

  it('sends the same when Redis loses everything in between', async () => {
    const replica = await shop.createReplica()
    const purchase = await shop.accept()
    await step(replica, purchase, 'reserveStock')
    const early = await shop.listen(replica, purchase)
    await waitFor('the step', () => early.ids().length === 1)
    const lose = async () => {
      for (const key of [streamKey, hashKey]) {
        await replica.test.redis.cluster.del(key(replica, purchase))
      }
    }
    await lose()

    // As another replica that was cut off stores it.
    const stored = { purchaseId: purchase.id, sequence: 20, name: 'create-order' }
    await shop.repository.addProgress([
      { ...stored, outcome: 'done', reason: null, at: new Date() },
    ])
    await waitFor('what Redis was not told', () => early.ids().length === 2)
    await lose()
    const late = await shop.listen(replica, purchase)
    await waitFor('the steps from the database', () => late.ids().length === 2)

    await waitFor('the keys to be there again', async () => {
      const { cluster } = replica.test.redis
      const keys = [streamKey, hashKey].map((key) => key(replica, purchase))
      return (await Promise.all(keys.map((key) => cluster.exists(key)))).every((n) => n === 1)
    })
  })

  it('goes to Redis only while a client watches, in this replica or another', async () => {
    const replica = await shop.createReplica()
    const { cluster } = replica.test.redis
    const [unwatched, watched] = [await shop.accept(), await shop.accept()]
    const { exists } = cluster
    const asked: Promise<number>[] = []
    cluster.exists = ((key: string) => {
      const answer = exists.call(cluster, [key])
      asked.push(answer)
      return answer
    }) as typeof exists
    await step(replica, unwatched, 'reserveStock')
    await waitFor('the replica to ask who watches', () => asked.length > 0)
    assert.deepEqual(await Promise.all(asked), [0])
    cluster.exists = exists
    await watchElsewhere(replica)
    await step(replica, watched, 'reserveStock')

    await waitFor('the step that is carried', async () => {
      await step(replica, watched, 'createOrder')
      return cluster.exists(streamKey(replica, watched))
    })
    assert.equal(await cluster.exists(streamKey(replica, unwatched)), 0)
  })

  it('keeps hash and stream on one node, for a time, with each event once', async () => {
    const replica = await shop.createReplica()
    const { cluster } = replica.test.redis
    await watchElsewhere(replica)
    const purchase = await shop.accept()
    const [stream, hash] = [streamKey(replica, purchase), hashKey(replica, purchase)]
    // What is stored while the replica knows of no watcher is not carried, so it is stored until it is.
    const carry = (store: () => Promise<void>, events: number) =>
      waitFor('what is carried', async () => {
        await store()
        return (await cluster.xlen(stream)) === events
      })
    await carry(() => step(replica, purchase, 'reserveStock'), 1)
    await step(replica, purchase, 'reserveStock')
    await carry(() => step(replica, purchase, 'createOrder'), 2)
    await carry(() => end(replica, purchase), 3)
    const entries = await cluster.xrange(stream, '-', '+')
    assert.deepEqual(
      entries.map(([id]) => id),
      ['10-0', '20-0', '1000-0'],
    )
    assert.equal(await cluster.cluster('KEYSLOT', stream), await cluster.cluster('KEYSLOT', hash))
    await waitFor('the expiry', async () => (await cluster.ttl(hash)) > 0)
    const ttl = await cluster.ttl(stream)
    assert.ok(ttl > 3_000 && ttl <= 3_600)
  })

  it('shows nobody the purchase of another customer, from Redis or without it', async () => {
    const replica = await shop.createReplica()
    const purchase = await shop.accept()
    const foreign = { ...purchase, customerId: newId() }
    assert.equal((await shop.listen(replica, foreign)).response.status, 404)
    await step(replica, purchase, 'reserveStock')
    await waitFor('the hash', () => replica.test.redis.cluster.exists(hashKey(replica, purchase)))

    assert.equal((await shop.listen(replica, foreign)).response.status, 404)
    assert.equal((await shop.listen(replica, { ...foreign, id: newId() })).response.status, 404)
    assert.equal((await fetch(`${replica.url}/${purchase.id}/events`)).status, 401)
  })

  it('does not delay the storing of progress when Redis hangs', async () => {
    const replica = await shop.createReplica()
    const { redis } = replica.test
    const purchases = await Promise.all(Array.from({ length: 30 }, shop.accept))
    const storeAll = async (command: 'reserveStock' | 'createOrder') => {
      const started = performance.now()
      for (const purchase of purchases) await step(replica, purchase, command)
      return performance.now() - started
    }
    const usualMs = await storeAll('reserveStock')
    const hang = () => new Promise(() => undefined)
    redis.cluster.sendCommand = hang as never
    redis.entities.client = () => ({ hGetAll: hang, multi: hang }) as never
    const reader = await shop.listen(replica, purchases[0] as Bought)

    const ms = await storeAll('createOrder')

    // One wait for Redis takes 3 s.
    assert.ok(ms < 3 * usualMs + 2_500, `${ms} ms, and ${usualMs} ms while Redis answers`)
    await waitFor('the steps', () => reader.ids().length === 2)
  })

  it('arrives through Redis again when Redis is available again', async () => {
    const redisPort = await closedPort()
    shop.defer(() => redisPort.close())
    const prefix = uniqueName()
    const writer = await shop.createReplica({ prefix })
    const reader = await shop.createReplica({ prefix, nodes: [redisPort.node] })
    const told = () => reader.test.count('purchase_progress_events_total', { source: 'stream' })
    redisPort.open()

    await waitFor('a step from the stream', async () => {
      const purchase = await shop.accept()
      const { ids, leave } = await shop.listen(reader, purchase)
      await step(writer, purchase, 'reserveStock')
      await waitFor('the step', () => ids().length === 1)
      leave()
      return (await told()) > 0
    })
  })
})

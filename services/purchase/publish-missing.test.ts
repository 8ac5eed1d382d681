import assert from 'node:assert/strict'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { openPurchaseOnKafka, type PurchaseOnKafka } from '../../test/helpers/purchase-kafka.ts'

describe('publishing accepted purchases', () => {
  let shop: PurchaseOnKafka

  before(async () => {
    shop = await openPurchaseOnKafka()
  })

  after(() => shop.close())

  afterEach(() => shop.setKafka('available'))

  function publishedAt(id: string) {
    return shop.database.query(
      `SELECT published_at FROM purchases WHERE id = '${id}' AND published_at IS NOT NULL`,
    )
  }

  const age = (id: string) =>
    shop.database.query(
      `UPDATE purchases SET released_at = now() - interval '1 minute' WHERE id = '${id}'`,
    )

  it('is noted, and then never repeated', async () => {
    const { id } = await shop.accepted()
    await age(id)
    await shop.service.publishing.publishMissing()
    assert.deepEqual(await publishedAt(id), [])
    await shop.service.publishing.notePublished()
    assert.equal((await publishedAt(id)).length, 1)
    await shop.service.publishing.publishMissing()
    assert.equal(shop.sent.filter((key) => key === id).length, 1)
  })

  it('is made up for when the process died right after the insert', async () => {
    const { id, customerId } = await shop.accepted()
    await shop.service.publishing.notePublished()
    await shop.database.query(`UPDATE purchases SET published_at = NULL WHERE id = '${id}'`)
    await shop.service.publishing.publishMissing()
    assert.equal(shop.sent.filter((key) => key === id).length, 1, 'a young one may be on its way')
    await age(id)
    await shop.service.publishing.publishMissing()
    const [first, second] = await waitFor('a second event', () => {
      return shop.eventsOf(id).length === 2 && shop.eventsOf(id)
    })
    assert.deepEqual(JSON.parse(second?.value ?? ''), JSON.parse(first?.value ?? ''))
    await shop.service.publishing.notePublished()
    assert.equal((await publishedAt(id)).length, 1)
    assert.equal((await shop.see({ id, customerId })).status, 'ACCEPTED')
  })

  it('waits while Kafka is unavailable: the purchase is accepted all the same', async () => {
    shop.setKafka('unavailable')
    const { id } = await shop.accepted()
    await age(id)
    await shop.service.publishing.publishMissing()
    await shop.service.publishing.notePublished()
    assert.deepEqual(await publishedAt(id), [])

    shop.setKafka('available')
    await shop.service.publishing.publishMissing()
    await waitFor('the event', () => shop.eventsOf(id).length === 1)
    await shop.service.publishing.notePublished()
    assert.equal((await publishedAt(id)).length, 1)
  })
})

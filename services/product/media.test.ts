import assert from 'node:assert/strict'
import { pino } from 'pino'
import { newId } from '../../shared/contracts/ids.ts'
import type { Product } from '../../shared/contracts/product.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createProductMedia } from './media.ts'

function buildProduct(): Product {
  return {
    id: newId(),
    category_id: newId(),
    id_account: newId(),
    name: 'Cup',
    description: 'To drink from',
    brand_name: 'Hill',
    price: 1,
    currency_code: 'VND',
    version: 'v1',
    withdrawn: false,
    inventory: 1,
  }
}

/** A media service that has one video of each product, and can be unavailable. */
function createFixture() {
  const state = { unavailable: false, asked: [] as string[][] }
  const metrics = createMetrics('product')
  const media = createProductMedia({
    client: {
      ListByProducts: async ({ product_ids }) => {
        state.asked.push(product_ids)
        if (state.unavailable) throw new AppError('unavailable', 'no answer')
        return {
          media: product_ids.map((product_id) => ({
            id: newId(),
            product_id,
            kind: 'video',
            content_type: 'video/mp4',
            url: `http://cdn/videos/${product_id}`,
            thumbnail_url: '',
            alt: 'x',
            width: 0,
            height: 0,
          })),
        }
      },
    },
    logger: pino({ level: 'silent' }),
    metrics,
  })
  return { state, metrics, media }
}

describe('media of products', () => {
  it('is asked for once for a whole page, and shared by those who read at the same time', async () => {
    const { state, media } = createFixture()
    const [one, two] = [buildProduct(), buildProduct()]
    const page = { items: [one, two], next_cursor: 'next' }

    const [shown, again] = await Promise.all([
      media.toPage(Promise.resolve(page)),
      media.toOne(Promise.resolve(two)),
    ])

    assert.deepEqual(state.asked, [[one.id, two.id]])
    assert.equal(shown.next_cursor, 'next')
    assert.deepEqual(shown.items[1], again)
    const [video] = again.media
    assert.equal(video?.url, `http://cdn/videos/${two.id}`)
    assert.deepEqual([video?.thumbnail_url, video?.width, video?.height], [null, null, null])
  })

  it('is left out, and counted, while media is unavailable, and not asked for at every read', async () => {
    const { state, media, metrics } = createFixture()
    state.unavailable = true

    for (const product of [buildProduct(), buildProduct(), buildProduct()]) {
      assert.deepEqual((await media.toOne(Promise.resolve(product))).media, [])
    }

    assert.equal(state.asked.length, 1)
    assert.match(await metrics.registry.metrics(), /product_media_failures_total\S* 1/)
  })

  it('does not ask media for a missing product', async () => {
    const { state, media } = createFixture()
    const missing = Promise.reject(new AppError('not_found', 'there is no such product'))

    await assert.rejects(media.toOne(missing), { kind: 'not_found' })

    assert.deepEqual(state.asked, [])
  })
})

import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { imageFile, mp4File } from '../../test/helpers/media-files.ts'
import { type MediaFixture, startMedia } from '../../test/helpers/media-service.ts'
import { objectKey, type Storage, thumbnailKey } from './storage.ts'

describe('what is left over', () => {
  let fixture: MediaFixture

  before(async () => {
    fixture = await startMedia()
  })

  after(() => fixture.close())

  it('of a crash between the objects and the rows is removed, once no upload can be so old', async () => {
    const earlier = await fixture.everything()
    const [image, video, cut, young] = [newId(), newId(), newId(), newId()]
    for (const id of [image, young]) {
      await fixture.repository.addPending({ id, kind: 'image' })
      await fixture.storage.put(objectKey('image', id), 'image/png', Buffer.from('x'))
      await fixture.storage.put(thumbnailKey(id), 'image/webp', Buffer.from('x'))
    }
    await fixture.repository.addPending({ id: video, kind: 'video' })
    await fixture.storage.put(objectKey('video', video), 'video/mp4', Buffer.from('x'))
    await fixture.repository.addPending({ id: cut, kind: 'video' })
    const unfinished = await fixture.minio.initiateNewMultipartUpload('videos', cut, {})
    await fixture.database.query(
      `UPDATE pending_media SET created_at = now() - interval '1 hour' WHERE id <> '${young}'`,
    )

    await fixture.service.removeLeftOvers()

    assert.deepEqual(await fixture.everything(), {
      ...earlier,
      objects: [...earlier.objects, `images/${young}`, `images/${young}-thumb`].sort(),
      pending: 1,
    })
    await assert.rejects(
      fixture.minio.uploadPart(
        {
          bucketName: 'videos',
          objectName: cut,
          uploadID: unfinished,
          partNumber: 1,
          headers: {},
        },
        Buffer.from('x'),
      ),
    )
    await fixture.repository.abandon([{ id: young, kind: 'image' }])
    await fixture.service.removeLeftOvers()
    assert.deepEqual(await fixture.everything(), earlier)
  })

  it('of an upload that could not clean up is removed later', async () => {
    const earlier = await fixture.everything()
    let unavailable = false
    const failing: Storage = {
      ...fixture.storage,
      putStream: async () => {
        unavailable = true
        throw new Error('the storage is unavailable')
      },
      remove: async (...file) => {
        if (unavailable) throw new Error('the storage is unavailable')
        await fixture.storage.remove(...file)
      },
    }
    const broken = fixture.createService({ storage: failing })
    const api = await fixture.serve(broken)
    const files = [
      { name: 'a.png', content: await imageFile('png') },
      { name: 'a.mp4', content: mp4File() },
    ]

    assert.equal((await fixture.upload(files, fixture.addProduct(), api)).status, 500)
    const left = await fixture.everything()
    assert.equal(left.objects.length, earlier.objects.length + 2)
    unavailable = false
    await broken.removeLeftOvers()

    assert.deepEqual(await fixture.everything(), earlier)
  })

  it('cannot be published', async () => {
    const api = await fixture.serve(
      fixture.createService({
        storage: {
          ...fixture.storage,
          put: async (key, type, content) => {
            await fixture.storage.put(key, type, content)
            await fixture.database.query('UPDATE pending_media SET abandoned = true')
          },
        },
      }),
    )
    const files = [{ name: 'a.png', content: await imageFile('png') }]

    const { status } = await fixture.leavesNothing(() =>
      fixture.upload(files, fixture.addProduct(), api),
    )

    assert.equal(status, 503)
  })

  describe('DELETE /media/:id', () => {
    const remove = async (id: string, token?: string, api = fixture.base) => {
      const response = await fetch(`${api}/media/${id}`, {
        method: 'DELETE',
        ...(token && { headers: { authorization: `Bearer ${token}` } }),
      })
      return response.status
    }

    it('takes media out of its product and its objects off the CDN', async () => {
      const earlier = await fixture.everything()
      const seller = fixture.addProduct()
      const files = [
        { name: 'a.png', content: await imageFile('png') },
        { name: 'b.mp4', content: mp4File() },
      ]
      const { body } = await fixture.upload(files, seller)
      const [image, video] = body.items

      assert.equal(await remove(image?.id ?? '', seller.token), 204)
      const listed = await fetch(`${fixture.base}/media?product_id=${seller.productId}`)
      const { items } = (await listed.json()) as { items: { id: string }[] }
      assert.deepEqual(
        items.map(({ id }) => id),
        [video?.id],
      )
      assert.equal((await fetch(image?.url ?? '')).status, 404)
      assert.equal(await remove(image?.id ?? '', seller.token), 404)
      assert.equal(await remove(video?.id ?? '', seller.token), 204)
      assert.deepEqual(await fixture.everything(), earlier)
    })

    it('is for the seller only', async () => {
      const seller = fixture.addProduct()
      const { body } = await fixture.upload(
        [{ name: 'a.png', content: await imageFile('png') }],
        seller,
      )
      const id = body.items[0]?.id ?? ''

      assert.equal(await remove(id, fixture.addProduct().token), 403)
      assert.equal(await remove(newId(), seller.token), 404)
      assert.equal(await remove(id), 401)
      assert.ok((await fixture.read(body.items[0])).length > 0)
    })

    it('leaves to the sweep what the storage does not remove now', async () => {
      const earlier = await fixture.everything()
      const failing: Storage = {
        ...fixture.storage,
        remove: async () => {
          throw new Error('the storage does not answer')
        },
      }
      const api = await fixture.serve(fixture.createService({ storage: failing }))
      const seller = fixture.addProduct()
      const { body } = await fixture.upload(
        [{ name: 'a.png', content: await imageFile('png') }],
        seller,
      )

      assert.equal(await remove(body.items[0]?.id ?? '', seller.token, api), 204)
      assert.equal((await fixture.everything()).pending, earlier.pending + 1)
      await fixture.service.removeLeftOvers()
      assert.deepEqual(await fixture.everything(), earlier)
    })
  })
})

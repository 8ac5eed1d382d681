import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import sharp from 'sharp'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { imageFile, mp4File } from '../../test/helpers/media-files.ts'
import {
  type MediaFixture,
  startMedia,
  testLimits,
  testMaxFiles,
} from '../../test/helpers/media-service.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import type { Storage } from './storage.ts'

describe('an upload', () => {
  let fixture: MediaFixture

  before(async () => {
    fixture = await startMedia()
  })

  after(() => fixture.close())

  it('stores images and a video, and the CDN serves them to everybody', async () => {
    const product = fixture.addProduct()
    const files = [
      { name: 'cup.png', content: await imageFile('png'), type: 'image/png' },
      { name: 'cup.jpg', content: await imageFile('jpeg', 200, 300), type: 'image/jpeg' },
      { name: 'cup.mp4', content: mp4File(6_000_000), type: 'video/mp4' },
    ]

    const { status, body } = await fixture.upload(files, product)

    assert.equal(status, 201)
    assert.deepEqual(
      body.items.map(({ kind, content_type, width, height, alt, product_id, checksum }) => {
        return { kind, content_type, width, height, alt, product_id, checksum }
      }),
      [
        { kind: 'image', content_type: 'image/png', width: 640, height: 480 },
        { kind: 'image', content_type: 'image/jpeg', width: 200, height: 300 },
        { kind: 'video', content_type: 'video/mp4', width: null, height: null },
      ].map((expected, index) => ({
        ...expected,
        alt: 'A cup',
        product_id: product.productId,
        checksum: createHash('sha256')
          .update(files[index]?.content ?? '')
          .digest('hex'),
      })),
    )
    for (const [index, item] of body.items.entries()) {
      const answer = await fetch(item.url)
      const content = Buffer.from(await answer.arrayBuffer())
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('content-type'), item.content_type)
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      assert.match(answer.headers.get('cache-control') ?? '', /max-age=31536000, immutable/)
      assert.ok(content.equals(files[index]?.content ?? Buffer.alloc(0)), item.url)
      assert.equal(content.length, item.size_bytes)
    }
    const thumbnail = await fetch(body.items[0]?.thumbnail_url ?? '')
    const small = await sharp(await thumbnail.arrayBuffer()).metadata()
    assert.equal(thumbnail.headers.get('content-type'), 'image/webp')
    assert.deepEqual([small.width, small.height], [320, 240])
    assert.equal(body.items[2]?.thumbnail_url, null)
  })

  it('stores no file when one of them is bad', async () => {
    const png = await imageFile('png')
    const cut = png.subarray(0, png.length - 300)
    for (const bad of [Buffer.from('nonsense'), cut]) {
      const { status, body } = await fixture.leavesNothing(() =>
        fixture.upload([
          { name: 'good.png', content: png },
          { name: 'good.mp4', content: mp4File(6_000_000) },
          { name: 'bad.png', content: bad },
        ]),
      )
      assert.equal(status, 422)
      assert.equal(body.errors?.[0]?.field, 'data.2')
    }
  })

  it('refuses what is too large, and leaves nothing of it', async () => {
    const png = await imageFile('png')
    const noise = await sharp({
      create: {
        width: 900,
        height: 900,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
      .png()
      .toBuffer()
    const cases = [
      { name: 'large.mp4', content: mp4File(testLimits.videoBytes + 1) },
      { name: 'large.png', content: noise },
    ]
    for (const large of cases) {
      const { status, body } = await fixture.leavesNothing(() =>
        fixture.upload([{ name: 'a.png', content: png }, large]),
      )
      assert.equal(status, 413)
      assert.match(body.detail ?? '', new RegExp(large.name))
    }
    const tooMany = Array.from({ length: testMaxFiles + 1 }, () => ({
      name: 'a.png',
      content: png,
    }))
    assert.equal((await fixture.leavesNothing(() => fixture.upload(tooMany))).status, 413)
  })

  it('never makes a path of a name', async () => {
    const content = await imageFile('png')
    for (const name of ['../../etc/passwd', 'a/b\\c.png', '..', 'x".png', 'é\u202egnp.exe']) {
      const { status, body } = await fixture.upload([{ name, content }])
      assert.equal(status, 201, name)
      assert.equal(body.items[0]?.url, `${fixture.cdn}/images/${body.items[0]?.id}`)
    }
  })

  it('is for the seller of a product that exists, with a token that is still good', async () => {
    const product = fixture.addProduct()
    const content = await imageFile('png')
    const files = [{ name: 'a.png', content }]
    const other = testTokens.tokenFor(newId())

    const foreign = await fixture.leavesNothing(() =>
      fixture.upload(files, { ...product, token: other }),
    )
    const missing = await fixture.leavesNothing(() =>
      fixture.upload(files, { ...product, productId: newId() }),
    )

    assert.equal(foreign.status, 403)
    assert.equal(missing.status, 422)
    assert.equal(missing.body.errors?.[0]?.field, 'product_id')
    assert.equal((await fixture.send(fixture.formOf(product.productId, files))).status, 401)
    fixture.revoked.add(product.token)
    assert.equal((await fixture.leavesNothing(() => fixture.upload(files, product))).status, 401)
  })

  /** A client that sends a video and does not end it; `status`: what it is answered, whenever that comes. */
  function openUpload(api = fixture.base, { productId, token } = fixture.addProduct()) {
    const contentType = 'multipart/form-data; boundary=b'
    const sending = httpRequest(`${api}/media/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
    })
    const { promise: status, resolve } = Promise.withResolvers<number | undefined>()
    sending.on('error', () => undefined)
    sending.once('response', (response: IncomingMessage) => {
      sending.destroy()
      resolve(response.statusCode)
    })
    sending.write(
      `--b\r\nContent-Disposition: form-data; name="product_id"\r\n\r\n${productId}\r\n` +
        '--b\r\nContent-Disposition: form-data; name="alt"\r\n\r\nx\r\n' +
        '--b\r\nContent-Disposition: form-data; name="data"; filename="a.mp4"\r\n\r\n',
    )
    sending.write(mp4File(6_000_000, { total: 8_000_000 }))
    return { sending, status }
  }

  /** Waits until so many files are on their way to the storage. */
  const pendingAre = (count: number) =>
    waitFor('the upload to begin', async () => (await fixture.everything()).pending >= count)

  it('leaves nothing of an upload that breaks off', async () => {
    const earlier = await fixture.everything()
    const { sending } = openUpload()
    await pendingAre(earlier.pending + 1)

    sending.destroy()

    await waitFor('nothing to be left', async () => {
      assert.deepEqual(await fixture.everything(), earlier)
      return true
    })
  })

  it('aborts the upload of a client that is too slow', async () => {
    const earlier = await fixture.everything()
    let begun = false
    const storage: Storage = {
      ...fixture.storage,
      putStream(...file) {
        begun = true
        return fixture.storage.putStream(...file)
      },
    }
    const limits = { uploadMs: 3_000 }
    const api = await fixture.serve(fixture.createService({ storage, limits }))

    assert.equal(await openUpload(api).status, 503)
    assert.ok(begun, 'it was on its way to the storage')
    await waitFor('nothing to be left', async () => {
      assert.deepEqual(await fixture.everything(), earlier)
      return true
    })
  })

  it('has a place as long as bytes come, and no seller or address can take all places', async () => {
    const earlier = await fixture.everything()
    const rateFloor = { graceMs: 3_000, bytesPerSecond: 10_000 }
    const api = await fixture.serve(fixture.createService({ limits: { uploads: 4 } }), rateFloor)
    const [greedy, other, third] = [newId(), newId(), newId()]
    const files = [{ name: 'a.png', content: await imageFile('png') }]
    const upload = (accountId: string) =>
      fixture.upload(files, fixture.addProduct(accountId), api).then(({ status }) => status)

    const begun: ReturnType<typeof openUpload>[] = []
    const begin = async (accountId: string) => {
      begun.push(openUpload(api, fixture.addProduct(accountId)))
      await pendingAre(earlier.pending + begun.length)
    }
    // Also to one that has not begun: however long that takes, it must not be the client that is slow.
    const going = setInterval(() => {
      for (const { sending } of begun) sending.write(Buffer.alloc(4_000))
    }, 100)
    try {
      await begin(greedy)
      await begin(greedy)
      assert.equal(await upload(greedy), 429)
      assert.equal(await upload(other), 201)
      await begin(other)
      assert.equal(await upload(third), 429)
    } finally {
      clearInterval(going)
    }
    assert.deepEqual(await Promise.all(begun.map(({ status }) => status)), [408, 408, 408])
    assert.equal(await upload(greedy), 201)
    assert.equal(await upload(third), 201)

    const { media, pending } = await fixture.everything()
    assert.deepEqual({ media, pending }, { media: earlier.media + 3, pending: earlier.pending })
  })

  it('is one of so many in a replica', async () => {
    const api = await fixture.serve(fixture.createService({ limits: { uploads: 0 } }))
    const files = [{ name: 'a.png', content: await imageFile('png') }]

    const { status } = await fixture.upload(files, fixture.addProduct(), api)

    assert.equal(status, 503)
  })
})

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { Client } from 'minio'
import { pino } from 'pino'
import sharp from 'sharp'
import { waitFor } from '../../scripts/wait-for.ts'
import { createAuthentication } from '../../shared/auth.ts'
import { type Media, mediaRoutes } from '../../shared/contracts/media.ts'
import { AppError, type Problem } from '../../shared/errors.ts'
import { startHttpServer } from '../../shared/http.ts'
import { newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { imageFile, mp4File } from '../../test/helpers/media-files.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createGrpcHandlers } from './grpc.ts'
import { createHandlers } from './http.ts'
import { connectRepository, type Repository } from './repository.ts'
import { createMediaService, type Limits, type MediaService } from './service.ts'
import { createStorage, objectKey, type Storage, thumbnailKey } from './storage.ts'

type Body = Problem & { items: Media[]; next_cursor: string | null }
type Upload = { name: string; content: Buffer; type?: string }

const logger = pino({ level: 'silent' })
const limits: Limits = {
  imageBytes: 500_000,
  imagePixels: 1_000_000,
  videoBytes: 8_000_000,
  uploads: 2,
  uploadMs: 10_000,
}
const maxFiles = 3

describe('media HTTP', () => {
  const resources = new AsyncDisposableStack()
  const owners = new Map<string, string>()
  const revoked = new Set<string>()
  let database: TestDatabase
  let repository: Repository
  let storage: Storage
  let minio: Client
  let cdn: string
  let service: MediaService
  let base: string

  before(async () => {
    const { urls, secrets } = await testStack()
    cdn = urls.minio
    database = resources.adopt(await createTestDatabase('media'), (open) => open.close())
    repository = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
    const { accessKey, secretKey } = secrets.minio
    storage = createStorage({
      MINIO_URL: cdn,
      MINIO_ACCESS_KEY: accessKey,
      MINIO_SECRET_KEY: secretKey,
    })
    const { hostname: endPoint, port } = new URL(cdn)
    minio = new Client({ endPoint, port: Number(port), useSSL: false, accessKey, secretKey })
    service = createService()
    base = await serve(service)
  })

  after(() => resources.disposeAsync())

  function createService(overrides: { storage?: Storage; limits?: Partial<Limits> } = {}) {
    return createMediaService({
      repository,
      storage: overrides.storage ?? storage,
      accounts: {
        Authenticate: async ({ access_token }) => {
          if (revoked.has(access_token)) throw new AppError('unauthorized', 'revoked')
          return { account_id: newId(), email_verified: false }
        },
      },
      products: {
        GetProducts: async ({ product_ids }) => ({
          products: product_ids
            .filter((id) => owners.has(id))
            .map((id) => ({ id, account_id: owners.get(id) ?? '', name: 'Tea', price: 1 })),
        }),
      },
      logger,
      publicUrl: cdn,
      limits: { ...limits, ...overrides.limits },
    })
  }

  async function serve(served: MediaService): Promise<string> {
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger,
      metrics: createMetrics('media'),
      health: {},
      routes: mediaRoutes,
      handlers: createHandlers(served),
      authenticate: createAuthentication(testTokens.config),
      maxFiles,
    })
    resources.defer(() => server.close())
    return `http://127.0.0.1:${server.port}/api/v1`
  }

  function addProduct() {
    const [productId, accountId] = [newId(), newId()]
    owners.set(productId, accountId)
    return { productId, token: testTokens.tokenFor(accountId) }
  }

  async function send(form: FormData, token?: string, api = base) {
    const response = await fetch(`${api}/media/upload`, {
      method: 'POST',
      body: form,
      ...(token && { headers: { authorization: `Bearer ${token}` } }),
    })
    return { status: response.status, body: (await response.json()) as Body }
  }

  function formOf(productId: string, files: Upload[], alt = 'A cup') {
    const form = new FormData()
    form.set('product_id', productId)
    form.set('alt', alt)
    for (const { name, content, type = 'application/octet-stream' } of files) {
      form.append('data', new Blob([new Uint8Array(content)], { type }), name)
    }
    return form
  }

  function upload(files: Upload[], { productId, token } = addProduct(), api = base) {
    return send(formOf(productId, files), token, api)
  }

  /** Every name in the buckets, and how many rows there are. */
  async function everything() {
    const objects: string[] = []
    for (const bucket of ['images', 'videos']) {
      for await (const item of minio.listObjectsV2(bucket, '', true)) {
        objects.push(`${bucket}/${item.name}`)
      }
    }
    const [rows] = await database.query(
      'SELECT (SELECT count(*)::int FROM media) AS media, (SELECT count(*)::int FROM pending_media) AS pending',
    )
    return {
      objects: objects.sort(),
      media: rows?.media as number,
      pending: rows?.pending as number,
    }
  }

  async function leavesNothing(work: () => Promise<{ status: number; body: Body }>) {
    const earlier = await everything()
    const answer = await work()
    assert.deepEqual(await everything(), earlier)
    return answer
  }

  describe('POST /media/upload', () => {
    it('stores images and a video, and the CDN serves them to everybody', async () => {
      const product = addProduct()
      const files = [
        { name: 'cup.png', content: await imageFile('png'), type: 'image/png' },
        { name: 'cup.jpg', content: await imageFile('jpeg', 200, 300), type: 'image/jpeg' },
        { name: 'cup.mp4', content: mp4File(6_000_000), type: 'video/mp4' },
      ]

      const { status, body } = await upload(files, product)

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

    it('has a CDN that serves ranges, and lets nobody list or write', async () => {
      const { body } = await upload([{ name: 'a.mp4', content: mp4File() }])
      const url = body.items[0]?.url ?? ''

      const range = await fetch(url, { headers: { range: 'bytes=4-11' } })
      assert.equal(range.status, 206)
      assert.equal(await range.text(), 'ftypisom')

      for (const bucket of ['images', 'videos']) {
        assert.equal((await fetch(`${cdn}/${bucket}/`)).status, 403)
        const put = await fetch(`${cdn}/${bucket}/${newId()}`, { method: 'PUT', body: 'x' })
        assert.equal(put.status, 403)
      }
      assert.equal((await fetch(url, { method: 'DELETE' })).status, 403)
    })

    it('believes the content and not the name', async () => {
      const image = await imageFile('jpeg')

      const named = await upload([{ name: 'movie.mp4', content: image, type: 'video/mp4' }])
      assert.equal(named.body.items[0]?.content_type, 'image/jpeg')

      const lies = [
        Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
        Buffer.from('GIF89a'),
        Buffer.alloc(0),
      ]
      for (const content of lies) {
        const { status, body } = await leavesNothing(() =>
          upload([{ name: 'cat.png', content, type: 'image/png' }]),
        )
        assert.equal(status, 422)
        assert.match(body.detail ?? '', /cat\.png/)
        assert.equal(body.errors?.[0]?.field, 'data.0')
      }
    })

    it('stores no file when one of them is bad', async () => {
      const png = await imageFile('png')
      const cut = png.subarray(0, png.length - 300)
      for (const bad of [Buffer.from('nonsense'), cut]) {
        const { status, body } = await leavesNothing(() =>
          upload([
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
        { name: 'large.mp4', content: mp4File(limits.videoBytes + 1) },
        { name: 'large.png', content: noise },
      ]
      for (const large of cases) {
        const { status, body } = await leavesNothing(() =>
          upload([{ name: 'a.png', content: png }, large]),
        )
        assert.equal(status, 413)
        assert.match(body.detail ?? '', new RegExp(large.name))
      }
      const tooMany = Array.from({ length: maxFiles + 1 }, () => ({ name: 'a.png', content: png }))
      assert.equal((await leavesNothing(() => upload(tooMany))).status, 413)
    })

    it('refuses an image of more pixels than it may have, however small its file is', async () => {
      const bomb = await imageFile('png', 4_000, 4_000)
      assert.ok(bomb.length < limits.imageBytes)

      const { status } = await leavesNothing(() => upload([{ name: 'bomb.png', content: bomb }]))

      assert.equal(status, 422)
    })

    it('never makes a path of a name', async () => {
      const content = await imageFile('png')
      for (const name of ['../../etc/passwd', 'a/b\\c.png', '..', 'x".png', 'é\u202egnp.exe']) {
        const { status, body } = await upload([{ name, content }])
        assert.equal(status, 201, name)
        assert.equal(body.items[0]?.url, `${cdn}/images/${body.items[0]?.id}`)
      }
    })

    it('is for the seller of a product that exists, with a token that is still good', async () => {
      const product = addProduct()
      const content = await imageFile('png')
      const files = [{ name: 'a.png', content }]
      const other = testTokens.tokenFor(newId())

      const foreign = await leavesNothing(() => upload(files, { ...product, token: other }))
      const missing = await leavesNothing(() => upload(files, { ...product, productId: newId() }))

      assert.equal(foreign.status, 403)
      assert.equal(missing.status, 422)
      assert.equal(missing.body.errors?.[0]?.field, 'product_id')
      assert.equal((await send(formOf(product.productId, files))).status, 401)
      revoked.add(product.token)
      assert.equal((await leavesNothing(() => upload(files, product))).status, 401)
    })

    it('names what is wrong with a form', async () => {
      const { productId, token } = addProduct()
      const file = new Blob([new Uint8Array(await imageFile('png'))])
      const build = (...fields: [string, string | Blob][]) => {
        const form = new FormData()
        for (const [name, value] of fields) form.append(name, value)
        return form
      }
      const [product, alt, data] = [
        ['product_id', productId] as const,
        ['alt', 'x'] as const,
        'data',
      ]
      const cases: [FormData, string][] = [
        [build([data, file], [...product], [...alt]), 'product_id'],
        [build([...product], [data, file], [...alt]), 'alt'],
        [build([...product], [...alt], [data, file], ['more', 'x']), 'more'],
        [build([...product], [...alt], ['other', file]), 'other'],
        [build([...product], [...alt]), 'data'],
        [build(['product_id', '1'], [...alt], [data, file]), 'product_id'],
        [build([...product], [...alt], [...alt], [data, file]), 'alt'],
      ]
      for (const [form, field] of cases) {
        const { status, body } = await leavesNothing(() => send(form, token))
        assert.equal(status, 400, field)
        assert.ok(
          body.errors?.some((error) => error.field === field),
          field,
        )
      }
    })

    it('refuses a body that is no form', async () => {
      const { token } = addProduct()
      for (const contentType of ['application/json', 'text/plain', 'multipart/form-data']) {
        const response = await fetch(`${base}/media/upload`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
          body: '{}',
        })
        assert.equal(response.status, 400, contentType)
      }
    })

    /** A client that has begun to send a video. */
    async function beginUpload(api = base) {
      const { productId, token } = addProduct()
      const contentType = 'multipart/form-data; boundary=b'
      const sending = httpRequest(`${api}/media/upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
      }).on('error', () => undefined)
      sending.write(
        `--b\r\nContent-Disposition: form-data; name="product_id"\r\n\r\n${productId}\r\n` +
          '--b\r\nContent-Disposition: form-data; name="alt"\r\n\r\nx\r\n' +
          '--b\r\nContent-Disposition: form-data; name="data"; filename="a.mp4"\r\n\r\n',
      )
      sending.write(mp4File(6_000_000))
      await waitFor('the upload to begin', async () => (await everything()).pending > 0)
      return sending
    }

    it('leaves nothing of an upload that breaks off', async () => {
      const earlier = await everything()
      const sending = await beginUpload()

      sending.destroy()

      await waitFor('nothing to be left', async () => {
        assert.deepEqual(await everything(), earlier)
        return true
      })
    })

    it('gives up on a client that is too slow', async () => {
      const earlier = await everything()
      const api = await serve(createService({ limits: { uploadMs: 1_000 } }))
      const sending = await beginUpload(api)

      const status = await new Promise((resolve) => {
        sending.on('response', (response) => resolve(response.statusCode))
      })
      sending.destroy()

      assert.equal(status, 503)
      assert.deepEqual(await everything(), earlier)
    })

    it('takes so many uploads at once and no more', async () => {
      const api = await serve(createService({ limits: { uploads: 0 } }))

      const { status } = await upload(
        [{ name: 'a.png', content: await imageFile('png') }],
        addProduct(),
        api,
      )

      assert.equal(status, 503)
    })
  })

  describe('what is left over', () => {
    it('of a crash between the objects and the rows is removed, once no upload can be so old', async () => {
      const earlier = await everything()
      const [image, video, cut, young] = [newId(), newId(), newId(), newId()]
      for (const id of [image, young]) {
        await repository.addPending({ id, kind: 'image' })
        await storage.put(objectKey('image', id), 'image/png', Buffer.from('x'))
        await storage.put(thumbnailKey(id), 'image/webp', Buffer.from('x'))
      }
      await repository.addPending({ id: video, kind: 'video' })
      await storage.put(objectKey('video', video), 'video/mp4', Buffer.from('x'))
      await repository.addPending({ id: cut, kind: 'video' })
      const unfinished = await minio.initiateNewMultipartUpload('videos', cut, {})
      await database.query(
        `UPDATE pending_media SET created_at = now() - interval '1 hour' WHERE id <> '${young}'`,
      )

      await service.removeLeftOvers()

      assert.deepEqual(await everything(), {
        ...earlier,
        objects: [...earlier.objects, `images/${young}`, `images/${young}-thumb`].sort(),
        pending: 1,
      })
      await assert.rejects(
        minio.uploadPart(
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
      await repository.abandon([{ id: young, kind: 'image' }])
      await service.removeLeftOvers()
      assert.deepEqual(await everything(), earlier)
    })

    it('of an upload that could not clean up is removed later', async () => {
      const earlier = await everything()
      let away = false
      const failing: Storage = {
        ...storage,
        putStream: async () => {
          away = true
          throw new Error('the storage is away')
        },
        remove: async (...file) => {
          if (away) throw new Error('the storage is away')
          await storage.remove(...file)
        },
      }
      const broken = createService({ storage: failing })
      const api = await serve(broken)
      const files = [
        { name: 'a.png', content: await imageFile('png') },
        { name: 'a.mp4', content: mp4File() },
      ]

      assert.equal((await upload(files, addProduct(), api)).status, 500)
      const left = await everything()
      assert.equal(left.objects.length, earlier.objects.length + 2)
      away = false
      await broken.removeLeftOvers()

      assert.deepEqual(await everything(), earlier)
    })

    it('cannot be published', async () => {
      const api = await serve(
        createService({
          storage: {
            ...storage,
            put: async (key, type, content) => {
              await storage.put(key, type, content)
              await database.query('UPDATE pending_media SET abandoned = true')
            },
          },
        }),
      )
      const files = [{ name: 'a.png', content: await imageFile('png') }]

      const { status } = await leavesNothing(() => upload(files, addProduct(), api))

      assert.equal(status, 503)
    })
  })

  describe('reading', () => {
    it('pages through the media of a product, newest first', async () => {
      const product = addProduct()
      const content = await imageFile('png', 4, 4)
      const ids: string[] = []
      for (const count of [3, 2]) {
        const files = Array.from({ length: count }, () => ({ name: 'a.png', content }))
        ids.push(...(await upload(files, product)).body.items.map(({ id }) => id))
      }
      await upload([{ name: 'a.png', content }])

      const seen: string[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const query = `product_id=${product.productId}&limit=2${cursor && `&cursor=${cursor}`}`
        const page = (await (await fetch(`${base}/media?${query}`)).json()) as Body
        assert.ok(page.items.length <= 2)
        seen.push(...page.items.map(({ id }) => id))
        cursor = page.next_cursor
      }

      assert.deepEqual(seen, ids.toReversed())
      assert.equal((await fetch(`${base}/media`)).status, 400)
      assert.equal((await fetch(`${base}/media?product_id=1`)).status, 400)
    })

    it('tells over gRPC the first ten media of each product, in the order of upload', async () => {
      const [full, small] = [addProduct(), addProduct()]
      const files = Array.from({ length: 3 }, () => ({ name: 'a.mp4', content: mp4File() }))
      const ids: string[] = []
      for (let i = 0; i < 4; i++) {
        ids.push(...(await upload(files, full)).body.items.map(({ id }) => id))
      }
      const png = { name: 'a.png', content: await imageFile('png', 4, 5) }
      const [image] = (await upload([png], small)).body.items

      const { media } = await createGrpcHandlers(service).ListByProducts({
        product_ids: [full.productId, small.productId, newId()],
      })

      const of = (id: string) => media.filter(({ product_id }) => product_id === id)
      assert.deepEqual(
        of(full.productId).map(({ id }) => id),
        ids.slice(0, 10),
      )
      assert.deepEqual(
        of(small.productId).map(({ id, url, width, height }) => ({ id, url, width, height })),
        [{ id: image?.id, url: image?.url, width: 4, height: 5 }],
      )
      assert.equal(of(full.productId)[0]?.thumbnail_url, '')
    })
  })
})

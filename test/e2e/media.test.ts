import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import type { Stack } from '../../scripts/stack/client.ts'
import { type Customer, registerCustomer, request } from '../../scripts/stack/shop-client.ts'
import type { Media } from '../../shared/contracts/media.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { ProductWithMedia } from '../../shared/contracts/product.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { curl } from '../helpers/curl.ts'
import { imageFile, mp4File } from '../helpers/media-files.ts'
import { startReplica } from '../helpers/service-process.ts'
import { testStack } from '../helpers/stack.ts'

type Items<T> = { items: T[]; next_cursor: string | null }

const samplingMs = 25
const megabyte = 1024 * 1024
/** What docker-compose.yml allows media. */
const containerMegabytes = 768
const uploadMegabytes = Number(process.env.MEDIA_TEST_UPLOAD_MB ?? 60)

describe('media through Traefik', function () {
  this.timeout(240_000)

  let stack: Stack
  let api: string
  let seller: Customer
  let folder: string
  const files = { png: '', jpg: '', mp4: '' }

  before(async () => {
    stack = await testStack()
    api = stack.urls.api
    seller = await registerCustomer(api)
    folder = await mkdtemp(join(tmpdir(), 'media-'))
    for (const name of Object.keys(files) as (keyof typeof files)[]) {
      files[name] = join(folder, `cup.${name}`)
    }
    await writeFile(files.png, await imageFile('png'))
    await writeFile(files.jpg, await imageFile('jpeg'))
    await writeFile(files.mp4, mp4File())
  })

  after(() => rm(folder, { recursive: true }))

  async function addProduct() {
    const category = await seller.createCategory('Cups')
    return seller.createProduct({
      category_id: category.id,
      name: 'Cup',
      description: 'To drink from',
      brand_name: 'Hill',
      price: 1_000,
      inventory: 1,
    })
  }

  /** A form that is declared to be JSON, as the walk-through's is. */
  async function curlUpload(token: string, productId: string, paths: string[]) {
    const { body } = await curl(
      `curl --location --request POST 'http://localhost/api/v1/media/upload' \\
       --header 'Authorization: Bearer ${token}' --header 'Content-Type: application/json' \\
       -F 'product_id=${productId}' -F 'alt=A cup' ${paths.map((path) => `-F 'data=@${path}'`).join(' ')}`,
    )
    return body as unknown as Items<Media> & Problem
  }

  it("takes curl's form under a JSON header and shows the files with their product", async () => {
    const product = await addProduct()

    const { items } = await curlUpload(seller.token, product.id, Object.values(files))

    assert.deepEqual(
      items.map(({ kind, alt, content_type }) => [kind, alt, content_type]),
      [
        ['image', 'A cup', 'image/png'],
        ['image', 'A cup', 'image/jpeg'],
        ['video', 'A cup', 'video/mp4'],
      ],
    )
    for (const { url, id, kind, content_type } of items) {
      assert.equal(url, `${stack.urls.cdn}/${kind}s/${id}`)
      const answer = await fetch(url, { headers: { range: 'bytes=0-3' } })
      assert.equal(answer.status, 206)
      assert.equal(answer.headers.get('content-type'), content_type)
    }
    const list = await request<Items<Media>>(api, 'GET', `/media?product_id=${product.id}`)
    assert.deepEqual(list.body.items, items.toReversed())

    const shown = await waitFor('the product to show its media', async () => {
      const { body } = await request<ProductWithMedia>(api, 'GET', `/products/${product.id}`)
      return body.media.length > 0 && body.media
    })
    assert.deepEqual(
      shown,
      items.map(({ product_id, size_bytes, checksum, created_at, ...rest }) => rest),
    )
    // A page waits for media as long as a product does.
    const listed = await waitFor('the page to show its media', async () => {
      const { body } = await seller.get<Items<ProductWithMedia>>('/products?limit=1')
      const media = body.items[0]?.media ?? []
      return media.length > 0 && media
    })
    assert.deepEqual(listed, shown)
  })

  it('is for the seller of the product', async () => {
    const product = await addProduct()
    const other = await registerCustomer(api)

    const problem = await curlUpload(other.token, product.id, [files.png])

    assert.equal(problem.type, 'urn:shop:problem:forbidden')
  })

  it('shows products without their media while media is unavailable', async () => {
    const product = await addProduct()
    await stack.stopProcess('media')
    try {
      const { status, body } = await seller.get<ProductWithMedia>(`/products/${product.id}`)
      assert.equal(status, 200)
      assert.deepEqual(body, { ...product, media: [] })
    } finally {
      await stack.startProcess('media')
      await stack.ensure()
    }
  })

  it('holds no upload in memory, however large it is', async () => {
    const product = await addProduct()
    await using media = await startMedia()
    await uploadVideo(media.url, product.id, 10)
    const before = await residentBytes(media.url)

    const { result: video, peak } = await peakDuring(media.url, () =>
      uploadVideo(media.url, product.id, uploadMegabytes),
    )

    assert.equal(video.size_bytes, uploadMegabytes * megabyte)
    const grown = (peak - before) / megabyte
    assert.ok(grown < 80, `grew by ${grown} MB`)
  })

  it('stays within its memory when four images come at once that are small as files only', async () => {
    const product = await addProduct()
    await using media = await startMedia()
    const content = await sharp({
      create: { width: 6_324, height: 6_324, channels: 3, background: 'teal' },
    })
      .toColourspace('rgb16')
      .png({ progressive: true })
      .toBuffer()

    const { result: statuses, peak } = await peakDuring(media.url, () =>
      Promise.all(Array.from({ length: 4 }, () => uploadImage(media.url, product.id, content))),
    )

    assert.ok(content.length < 2 * megabyte, `the file has ${content.length} bytes`)
    assert.ok(
      statuses.every((status) => [201, 422, 503].includes(status)),
      `${statuses}`,
    )
    assert.ok(peak < containerMegabytes * megabyte, `took ${peak / megabyte} MB`)
  })

  async function startMedia() {
    const replica = startReplica('media', stack)
    const url = `http://127.0.0.1:${await replica.port()}`
    return { url, [Symbol.asyncDispose]: () => replica.close() }
  }

  /** What it did, and the most memory that the process had meanwhile. */
  async function peakDuring<T>(url: string, work: () => Promise<T>) {
    let peak = 0
    const sampling = new AbortController()
    const sampled = (async () => {
      while (!sampling.signal.aborted) {
        peak = Math.max(peak, await residentBytes(url))
        await sleep(samplingMs)
      }
    })()
    try {
      const result = await work()
      return { result, peak }
    } finally {
      sampling.abort()
      await sampled
    }
  }

  async function uploadImage(url: string, productId: string, content: Buffer): Promise<number> {
    const form = new FormData()
    form.set('product_id', productId)
    form.set('alt', 'Cup')
    form.set('data', new Blob([new Uint8Array(content)]), 'cup.png')
    const answer = await fetch(`${url}/api/v1/media/upload`, {
      method: 'POST',
      headers: { authorization: `Bearer ${seller.token}` },
      body: form,
    })
    await answer.arrayBuffer()
    return answer.status
  }

  async function residentBytes(url: string): Promise<number> {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    return Number(/^process_resident_memory_bytes\S* (\d+)/m.exec(metrics)?.[1])
  }

  async function uploadVideo(url: string, productId: string, megabytes: number): Promise<Media> {
    const sending = httpRequest(`${url}/api/v1/media/upload`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${seller.token}`,
        'content-type': 'multipart/form-data; boundary=b',
      },
    })
    const answered = once(sending, 'response') as Promise<[IncomingMessage]>
    sending.write(
      `--b\r\nContent-Disposition: form-data; name="product_id"\r\n\r\n${productId}\r\n` +
        '--b\r\nContent-Disposition: form-data; name="alt"\r\n\r\nx\r\n' +
        '--b\r\nContent-Disposition: form-data; name="data"; filename="a.mp4"\r\n\r\n',
    )
    let chunk = mp4File(megabyte, { total: megabytes * megabyte })
    for (let sent = 0; sent < megabytes; sent++) {
      if (!sending.write(chunk)) await once(sending, 'drain')
      chunk = randomBytes(megabyte)
    }
    sending.end('\r\n--b--\r\n')
    const [response] = await answered
    const body = (await json(response)) as Items<Media>
    assert.equal(response.statusCode, 201, JSON.stringify(body))
    const [video] = body.items
    assert.ok(video)
    return video
  }
})

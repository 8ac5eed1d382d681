import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stack } from '../../scripts/stack/client.ts'
import { type Customer, expectStatus, registerCustomer } from '../../scripts/stack/shop-client.ts'
import type { TokenPair } from '../../shared/contracts/account.ts'
import type { Media } from '../../shared/contracts/media.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { Product } from '../../shared/contracts/product.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { checkedRequest } from '../helpers/api-document.ts'
import { curl } from '../helpers/curl.ts'
import { imageFile } from '../helpers/media-files.ts'
import { testStack } from '../helpers/stack.ts'

const megabyte = 1024 * 1024

describe('what the shop refuses, through Traefik', () => {
  let stack: Stack
  let api: string
  let seller: Customer
  let stranger: Customer
  let product: Product

  before(async () => {
    stack = await testStack()
    api = stack.urls.api
    seller = await registerCustomer(api)
    stranger = await registerCustomer(api)
    const category = await seller.createCategory('Cups')
    product = await seller.createProduct({
      ...{ category_id: category.id, name: 'Cup', description: 'To drink from' },
      ...{ brand_name: 'Hill', price: 1_000, inventory: 5 },
    })
  })

  const send = (method: 'GET' | 'POST' | 'PUT', path: string, token?: string, body?: unknown) =>
    checkedRequest<Problem>(api, method, path, {
      ...(token !== undefined && { token }),
      ...(path.endsWith('/restock') && { headers: { 'idempotency-key': randomUUID() } }),
      body,
    })

  describe('a token in the place of another', () => {
    let pair: TokenPair

    before(async () => {
      const registered = await checkedRequest<TokenPair>(api, 'POST', '/account/register', {
        body: {
          ...{ email: `${randomUUID()}@example.com`, password: 'correct horse' },
          ...{ first_name: 'An', last_name: 'Nguyen' },
          ...{ address: '1 Le Loi', phone_number: '+84901234567' },
        },
      })
      pair = expectStatus(registered, 201)
    })

    it('a refresh token is refused as an access token', async () => {
      for (const path of ['/account/customer/personal', '/orders', '/payments', '/purchases']) {
        const { status, body } = await send('GET', path, pair.refresh_token)

        assert.equal(status, 401, path)
        assert.equal(body.type, 'urn:shop:problem:unauthorized')
      }
      const auth = connectGrpc('auth', stack.urls.grpc, { deadlineMs: 30_000 })
      try {
        await assert.rejects(
          auth.Authenticate({ access_token: pair.refresh_token }),
          (error) => error instanceof AppError && error.kind === 'unauthorized',
        )
      } finally {
        await auth.close()
      }
    })

    it('an access token refreshes nothing', async () => {
      const refresh_token = pair.access_token

      const { status, body } = await send('POST', '/account/refresh', undefined, { refresh_token })

      // It may be longer than any refresh token.
      assert.ok(status === 400 || status === 401, JSON.stringify(body))
    })
  })

  it('what is of another seller, and says so', async () => {
    const token = stranger.token
    const changed = await send('PUT', `/products/${product.id}`, token, { price: 1 })
    const restocked = await send('POST', `/products/${product.id}/restock`, token, { quantity: 1 })

    for (const { status, body } of [changed, restocked]) {
      assert.equal(status, 403)
      assert.equal(body.type, 'urn:shop:problem:forbidden')
    }
    const { media, ...shown } = expectStatus(
      await seller.get<Product & { media: [] }>(`/products/${product.id}`),
      200,
    )
    assert.deepEqual({ ...shown, media }, product)
  })

  it('fields that are not the caller’s to set, wherever they stand', async () => {
    const line = { product_id: product.id, quantity: 1 }
    const payment = { currency_code: 'VND' }
    const { id, currency_code, inventory, id_account, ...fields } = product
    const creating = { ...fields, inventory }
    const cases: ['POST' | 'PUT', string, object, string][] = [
      ['POST', '/purchases', { order_items: [line], payment, amount: 1 }, 'amount'],
      ['POST', '/purchases', { order_items: [line], payment, status: 'COMPLETED' }, 'status'],
      [
        'POST',
        '/purchases',
        { order_items: [{ ...line, unit_price: 1 }], payment },
        'order_items.0.unit_price',
      ],
      [
        'POST',
        '/purchases',
        { order_items: [line], payment: { ...payment, amount: 1 } },
        'payment.amount',
      ],
      ['POST', '/products', { ...creating, id }, 'id'],
      ['POST', '/products', { ...creating, sold: 5 }, 'sold'],
      ['PUT', `/products/${id}`, { inventory: 9 }, 'inventory'],
      ['PUT', `/products/${id}`, { id_account: randomUUID() }, 'id_account'],
      ['PUT', '/account/customer/delivery', { email_verified: true }, 'email_verified'],
      ['PUT', '/account/customer/personal', { id: randomUUID() }, 'id'],
    ]

    for (const [method, path, body, field] of cases) {
      const answer = await send(method, path, seller.token, body)

      assert.equal(answer.status, 400, `${path} ${field}`)
      assert.ok(
        answer.body.errors?.some((error) => error.field === field && error.rule === 'is not known'),
        `${path} ${field}: ${JSON.stringify(answer.body)}`,
      )
    }
  })

  describe('an upload', () => {
    let folder: string

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'refusals-'))
    })

    after(() => rm(folder, { recursive: true }))

    async function upload(content: Buffer, name: string, token = seller.token) {
      const path = join(folder, randomUUID())
      await writeFile(path, content)
      const { status, body } = await curl(
        `curl --request POST 'http://localhost/api/v1/media/upload' \\
         --header 'Authorization: Bearer ${token}' \\
         -F 'product_id=${product.id}' -F 'alt=A cup' -F 'data=@${path};filename="${name}";type=image/png'`,
      )
      return { status, body: body as unknown as Problem & { items: Media[] } }
    }

    it('of another content than its name says', async () => {
      for (const content of ['<script>alert(1)</script>', 'GIF89a', '']) {
        const { status, body } = await upload(Buffer.from(content), 'cup.png')

        assert.equal(status, 422, content)
        assert.equal(body.errors?.[0]?.field, 'data.0')
        assert.match(body.detail ?? '', /cup\.png.*png, jpg, jpeg or mp4/)
      }
    })

    it('that is too large', async () => {
      const png = await imageFile('png')
      const large = Buffer.concat([png, Buffer.alloc(11 * megabyte)])

      const { status, body } = await upload(large, 'large.png')

      assert.equal(status, 413)
      assert.equal(body.type, 'urn:shop:problem:too-large')
      assert.match(body.errors?.[0]?.rule ?? '', /bytes/)
    })

    it('to what belongs to another customer', async () => {
      const { status, body } = await upload(await imageFile('png'), 'cup.png', stranger.token)

      assert.equal(status, 403)
      assert.equal(body.type, 'urn:shop:problem:forbidden')
    })

    it('as a path: whatever its name, it is stored under an id, and no path leads out', async () => {
      const content = await imageFile('png')
      for (const name of ['../../evil.png', '/etc/passwd', '..%2f..%2fevil.png', 'images/../x']) {
        const { status, body } = await upload(content, name)

        assert.equal(status, 201, name)
        const [stored] = body.items
        assert.equal(stored?.url, `${stack.urls.cdn}/images/${stored?.id}`)
      }
      for (const path of [
        ...['images/../../etc/passwd', 'images/..%2f..%2fetc%2fpasswd', 'evil.png'],
        ...['images/../../evil.png', 'images/', 'videos/'],
      ]) {
        const { status } = await curl(`curl --path-as-is 'http://localhost:9000/${path}'`)
        assert.ok(status >= 400 && status < 500, `${path}: ${status}`)
      }
    })
  })
})

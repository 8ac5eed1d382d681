import assert from 'node:assert/strict'
import { Client } from 'pg'
import { pino } from 'pino'
import { createAuthentication } from '../../shared/auth.ts'
import {
  type Category,
  type CreateProduct,
  type Product,
  productRoutes,
} from '../../shared/contracts/product.ts'
import type { Problem } from '../../shared/errors.ts'
import { startHttpServer } from '../../shared/http.ts'
import { newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createHandlers } from './http.ts'
import { createProductMedia } from './media.ts'
import { connectRepository } from './repository.ts'
import { createProductService } from './service.ts'

/** Of an answer: a product, a category, a page or a problem. */
type Body = Product & Category & Problem & { items: Product[]; next_cursor: string | null }

describe('product HTTP', () => {
  const resources = new AsyncDisposableStack()
  let database: TestDatabase
  let base: string

  before(async () => {
    database = resources.adopt(await createTestDatabase('product'), (open) => open.close())
    const repository = resources.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (open) => open.close(),
    )
    const logger = pino({ level: 'silent' })
    const metrics = createMetrics('product')
    const media = { ListByProducts: async () => ({ media: [] }) }
    const service = createProductService({
      repository,
      publish: async () => undefined,
      logger,
      metrics,
      currencyCode: 'VND',
      overdueMs: 60_000,
    })
    const server = resources.adopt(
      await startHttpServer({
        host: '127.0.0.1',
        port: 0,
        logger,
        metrics,
        health: { database: repository.answers },
        routes: productRoutes,
        handlers: createHandlers(service, createProductMedia({ client: media, logger, metrics })),
        authenticate: createAuthentication(testTokens.config),
      }),
      (open) => open.close(),
    )
    base = `http://127.0.0.1:${server.port}/api/v1`
  })

  after(() => resources.disposeAsync())

  async function call(
    method: string,
    path: string,
    { as, body, key }: { as?: string; body?: object; key?: string } = {},
  ) {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (as) headers.authorization = `Bearer ${testTokens.tokenFor(as)}`
    if (key) headers['idempotency-key'] = key
    const response = await fetch(base + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as Body }
  }

  async function addCategory(): Promise<string> {
    const body = { name: 'Tea', description: 'Leaves' }
    return (await call('POST', '/categories', { as: newId(), body })).body.id
  }

  async function buildProduct(overrides: Partial<CreateProduct> = {}): Promise<CreateProduct> {
    return {
      category_id: overrides.category_id ?? (await addCategory()),
      name: 'Green tea',
      description: 'From the hills',
      brand_name: 'Hill',
      price: 125,
      inventory: 10,
      ...overrides,
    }
  }

  async function addProduct(seller: string, overrides: Partial<CreateProduct> = {}) {
    const answer = await call('POST', '/products', {
      as: seller,
      body: await buildProduct(overrides),
    })
    assert.equal(answer.status, 201)
    return answer.body
  }

  /** The ids on all pages, or on those after a cursor. */
  async function pages(path: string, after = ''): Promise<string[]> {
    const seen: string[] = []
    let cursor: string | null = after
    while (cursor !== null) {
      const { body } = await call('GET', `${path}&limit=2${cursor && `&cursor=${cursor}`}`)
      assert.ok(body.items.length <= 2)
      seen.push(...body.items.map((item) => item.id))
      cursor = body.next_cursor
    }
    return seen
  }

  describe('POST /products', () => {
    it('creates a product of the caller that everybody can read', async () => {
      const seller = newId()
      const product = await buildProduct({ id_account: seller })

      const created = await call('POST', '/products', { as: seller, body: product })
      const read = await call('GET', `/products/${created.body.id}`)

      assert.equal(created.status, 201)
      assert.deepEqual(created.body, {
        id: created.body.id,
        currency_code: 'VND',
        media: [],
        ...product,
      })
      assert.deepEqual(read, { status: 200, body: created.body })
    })

    it('refuses a product in the name of another account', async () => {
      const body = await buildProduct({ id_account: newId() })

      const answer = await call('POST', '/products', { as: newId(), body })

      assert.equal(answer.status, 403)
      assert.equal(answer.body.errors?.[0]?.field, 'id_account')
    })

    it('refuses a category that does not exist', async () => {
      const body = await buildProduct({ category_id: newId() })

      const answer = await call('POST', '/products', { as: newId(), body })

      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors?.[0]?.field, 'category_id')
    })

    it('asks for a token', async () => {
      assert.equal((await call('POST', '/products', { body: {} })).status, 401)
    })
  })

  describe('PUT /products/:id', () => {
    it('changes the given fields of an own product', async () => {
      const seller = newId()
      const product = await addProduct(seller)
      const category_id = await addCategory()

      const answer = await call('PUT', `/products/${product.id}`, {
        as: seller,
        body: { price: 200, brand_name: 'Peak', category_id },
      })

      assert.deepEqual(answer, {
        status: 200,
        body: { ...product, price: 200, brand_name: 'Peak', category_id },
      })
      assert.deepEqual((await call('GET', `/products/${product.id}`)).body, answer.body)
    })

    it('is for the seller only', async () => {
      const product = await addProduct(newId())

      const foreign = await call('PUT', `/products/${product.id}`, {
        as: newId(),
        body: { price: 1 },
      })
      const missing = await call('PUT', `/products/${newId()}`, { as: newId(), body: { price: 1 } })

      assert.equal(foreign.status, 403)
      assert.equal(missing.status, 404)
      assert.deepEqual((await call('GET', `/products/${product.id}`)).body, product)
    })

    it('changes neither inventory nor seller, and refuses an unknown category', async () => {
      const seller = newId()
      const { id } = await addProduct(seller)
      const put = (body: object) => call('PUT', `/products/${id}`, { as: seller, body })

      assert.equal((await put({ inventory: 1_000 })).status, 400)
      assert.equal((await put({ id_account: newId() })).status, 400)
      assert.equal((await put({})).status, 400)
      assert.equal((await put({ category_id: newId() })).body.errors?.[0]?.field, 'category_id')
    })
  })

  describe('GET /products?q=', () => {
    const search = async (seller: string, text: string) => {
      const query = new URLSearchParams({ q: text, id_account: seller })
      const { status, body } = await call('GET', `/products?${query}`)
      assert.equal(status, 200, text)
      return body.items.map(({ name }) => name)
    }

    it('finds products by how the words of their name, brand and description begin', async () => {
      const seller = newId()
      const texts = { brand_name: 'Apple', description: 'Smartphone, 128GB, USB/HDMI, wi-fi' }
      await addProduct(seller, { ...texts, name: 'Iphone-13' })
      await addProduct(seller, { ...texts, name: 'Iphone 14 Pro' })
      await addProduct(seller, {
        name: 'Trà xanh Đà Lạt',
        brand_name: 'Hill',
        description: '5% off',
      })

      const both = ['Iphone 14 Pro', 'Iphone-13']
      const expected: Record<string, string[]> = {
        iphone: both,
        'IPH app': both,
        '128gb': both,
        hdmi: both,
        'Wi-Fi usb': both,
        '13': ['Iphone-13'],
        '  pro, iphone! ': ['Iphone 14 Pro'],
        'tra xanh': ['Trà xanh Đà Lạt'],
        'ĐÀ LẠT': ['Trà xanh Đà Lạt'],
        'da lat hill': ['Trà xanh Đà Lạt'],
        hone: [],
        'iphone samsung': [],
      }
      for (const [text, names] of Object.entries(expected)) {
        assert.deepEqual(await search(seller, text), names, text)
      }
    })

    it('takes every text as words and nothing else', async () => {
      const seller = newId()
      await addProduct(seller, { name: "O'Reilly & Sons" })

      assert.deepEqual(await search(seller, "o'reilly"), ["O'Reilly & Sons"])
      for (const text of [
        ...["' OR 1=1 --", "'; DROP TABLE products; --", "x':*|'", "a'::tsquery", '!!!', '&', ':*'],
        ...['\\', "\\'", '<->', '(', '%', '$1', '‮', '茶', '🍵', '\u0301', 'a'.repeat(100)],
      ]) {
        assert.deepEqual(await search(seller, text), [], text)
      }
    })

    it('refuses a text that is empty, too long or given twice', async () => {
      for (const query of ['q=', 'q=%20', `q=${'a'.repeat(101)}`, 'q=a&q=b', 'q=a%00b']) {
        const { status, body } = await call('GET', `/products?${query}`)
        assert.equal(status, 400, query)
        assert.equal(body.errors?.[0]?.field, 'q', query)
      }
    })

    it('is read page by page, while others are added', async () => {
      const seller = newId()
      const category_id = await addCategory()
      const word = `w${newId().replaceAll('-', '')}`
      const ids: string[] = []
      for (let count = 0; count < 5; count++) {
        const added = await addProduct(seller, { category_id, description: `${word} ${count}` })
        ids.push(added.id)
        await addProduct(seller)
      }

      const { body } = await call('GET', `/products?q=${word}&limit=2`)
      await addProduct(seller, { description: word })
      const rest = await pages(`/products?q=${word}`, body.next_cursor ?? 'none')

      assert.deepEqual([...body.items.map(({ id }) => id), ...rest], ids.toReversed())
      assert.equal((await pages(`/products?q=${word}`)).length, 6)
      assert.deepEqual(
        await pages(`/products?q=${word}&category_id=${category_id}`),
        ids.toReversed(),
      )
      assert.deepEqual(await pages(`/products?q=${word}&id_account=${newId()}`), [])
    })

    it('has an index', async () => {
      // The table is too small for PostgreSQL to choose it on its own.
      const connectionString = `${database.url}?options=-c%20enable_seqscan%3Doff`
      const client = new Client({ connectionString })
      await client.connect()
      const { rows } = await client
        .query(
          `EXPLAIN SELECT id FROM products
           WHERE search_words(name || ' ' || brand_name || ' ' || description) @@ 'tea'`,
        )
        .finally(() => client.end())

      assert.match(JSON.stringify(rows), /products_search_idx/)
    })
  })

  describe('POST /products/:id/restock', () => {
    it('adds once per key, and again under another key', async () => {
      const seller = newId()
      const { id } = await addProduct(seller, { inventory: 10 })
      const key = newId()
      const restock = (under: string) =>
        call('POST', `/products/${id}/restock`, { as: seller, key: under, body: { quantity: 5 } })

      const answers = await Promise.all([restock(key), restock(key), restock(key)])
      assert.deepEqual(
        answers.map(({ status, body }) => [status, body.inventory]),
        Array.from({ length: 3 }, () => [200, 15]),
      )
      assert.equal((await restock(newId())).body.inventory, 20)

      const rows = await database.query(`SELECT stock, received FROM products WHERE id = '${id}'`)
      assert.deepEqual(rows, [{ stock: 20, received: 20 }])
    })

    it('refuses a key that was used with another quantity', async () => {
      const seller = newId()
      const { id } = await addProduct(seller, { inventory: 10 })
      const key = newId()
      const restock = (quantity: number) =>
        call('POST', `/products/${id}/restock`, { as: seller, key, body: { quantity } })
      await restock(5)

      const answer = await restock(6)

      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors?.[0]?.field, 'idempotency-key')
      assert.equal((await call('GET', `/products/${id}`)).body.inventory, 15)
    })

    it('refuses more than can be counted', async () => {
      const seller = newId()
      const { id } = await addProduct(seller, { inventory: 2_147_483_647 })

      const answer = await call('POST', `/products/${id}/restock`, {
        as: seller,
        key: newId(),
        body: { quantity: 1 },
      })

      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors?.[0]?.field, 'quantity')
    })

    it('is for the seller only and needs a key', async () => {
      const seller = newId()
      const { id } = await addProduct(seller)
      const restock = (as: string, key?: string, product = id) =>
        call('POST', `/products/${product}/restock`, { as, key, body: { quantity: 1 } })

      assert.equal((await restock(newId(), newId())).status, 403)
      assert.equal((await restock(seller, newId(), newId())).status, 404)
      assert.equal((await restock(seller)).status, 400)
    })
  })

  describe('lists', () => {
    it('pages through the products of a seller or a category, newest first', async () => {
      const [seller, other, category_id] = [newId(), newId(), await addCategory()]
      const ids: string[] = []
      for (let i = 0; i < 5; i++) ids.push((await addProduct(seller, { category_id })).id)
      const neighbour = await addProduct(other, { category_id })
      await addProduct(other)

      assert.deepEqual(await pages(`/products?id_account=${seller}`), ids.toReversed())
      assert.deepEqual(await pages(`/products?category_id=${category_id}`), [
        neighbour.id,
        ...ids.toReversed(),
      ])
      assert.deepEqual(await pages(`/products?category_id=${category_id}&id_account=${other}`), [
        neighbour.id,
      ])
      assert.equal((await call('GET', '/products?limit=1')).body.items.length, 1)
    })

    it('refuses a limit, a cursor or a filter that makes no sense', async () => {
      for (const query of ['limit=0', 'limit=101', 'cursor=x', 'category_id=1', 'sort=name']) {
        assert.equal((await call('GET', `/products?${query}`)).status, 400, query)
      }
    })
  })

  describe('categories', () => {
    it('are created with a token, and read and listed without', async () => {
      const body = { name: 'Cups', description: 'To drink from' }

      const created = await call('POST', '/categories', { as: newId(), body })
      const { id } = created.body

      assert.deepEqual(created, { status: 201, body: { id, ...body } })
      assert.deepEqual((await call('GET', `/categories/${id}`)).body, created.body)
      assert.equal((await call('GET', '/categories?limit=1')).body.items[0]?.id, id)
      assert.equal((await call('POST', '/categories', { body })).status, 401)
    })

    it('are paged through, newest first', async () => {
      const ids: string[] = []
      for (let index = 0; index < 5; index++) {
        const body = { name: `Cups ${index}`, description: 'To drink from' }
        ids.unshift((await call('POST', '/categories', { as: newId(), body })).body.id)
      }

      const seen = await pages('/categories?')

      assert.deepEqual(seen.slice(0, 5), ids)
      assert.equal(new Set(seen).size, seen.length)
    })

    it('answers 404 for what does not exist', async () => {
      assert.equal((await call('GET', `/categories/${newId()}`)).status, 404)
      assert.equal((await call('GET', `/products/${newId()}`)).status, 404)
    })
  })
})

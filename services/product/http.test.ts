import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp, type ProductHttp } from '../../test/helpers/product-http.ts'

describe('product HTTP', () => {
  let http: ProductHttp

  before(async () => {
    http = await openProductHttp()
  })

  after(() => http.close())

  describe('POST /products', () => {
    it('creates a product of the caller that everybody can read', async () => {
      const seller = newId()
      const product = await http.buildProduct({ id_account: seller })

      const created = await http.call('POST', '/products', { as: seller, body: product })
      const read = await http.call('GET', `/products/${created.body.id}`)

      assert.equal(created.status, 201)
      assert.deepEqual(created.body, {
        id: created.body.id,
        currency_code: 'VND',
        version: created.body.version,
        media: [],
        withdrawn: false,
        ...product,
      })
      assert.deepEqual(read, { status: 200, body: created.body })
    })

    it('refuses a product in the name of another account', async () => {
      const body = await http.buildProduct({ id_account: newId() })

      const answer = await http.call('POST', '/products', { as: newId(), body })

      assert.equal(answer.status, 403)
      assert.equal(answer.body.errors?.[0]?.field, 'id_account')
    })

    it('refuses a category that does not exist', async () => {
      const body = await http.buildProduct({ category_id: newId() })

      const answer = await http.call('POST', '/products', { as: newId(), body })

      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors?.[0]?.field, 'category_id')
    })

    it('asks for a token', async () => {
      assert.equal((await http.call('POST', '/products', { body: {} })).status, 401)
    })
  })

  describe('PUT /products/:id', () => {
    it('changes the given fields of an own product', async () => {
      const seller = newId()
      const product = await http.addProduct(seller)
      const category_id = await http.addCategory()

      const answer = await http.call('PUT', `/products/${product.id}`, {
        as: seller,
        body: { price: 200, brand_name: 'Peak', category_id },
      })

      assert.deepEqual(answer, {
        status: 200,
        body: {
          ...product,
          version: answer.body.version,
          ...{ price: 200, brand_name: 'Peak', category_id },
        },
      })
      assert.notEqual(answer.body.version, product.version)
      assert.deepEqual((await http.call('GET', `/products/${product.id}`)).body, answer.body)
    })

    it('is for the seller only', async () => {
      const product = await http.addProduct(newId())

      const foreign = await http.call('PUT', `/products/${product.id}`, {
        as: newId(),
        body: { price: 1 },
      })
      const missing = await http.call('PUT', `/products/${newId()}`, {
        as: newId(),
        body: { price: 1 },
      })

      assert.equal(foreign.status, 403)
      assert.equal(missing.status, 404)
      assert.deepEqual((await http.call('GET', `/products/${product.id}`)).body, product)
    })

    it('changes neither inventory nor seller, and refuses an unknown category', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller)
      const put = (body: object) => http.call('PUT', `/products/${id}`, { as: seller, body })

      assert.equal((await put({ inventory: 1_000 })).status, 400)
      assert.equal((await put({ id_account: newId() })).status, 400)
      assert.equal((await put({})).status, 400)
      assert.equal((await put({ category_id: newId() })).body.errors?.[0]?.field, 'category_id')
    })
  })

  describe('categories', () => {
    it('are created with a token, and read and listed without', async () => {
      const body = { name: 'Cups', description: 'To drink from' }

      const created = await http.call('POST', '/categories', { as: newId(), body })
      const { id } = created.body

      assert.deepEqual(created, { status: 201, body: { id, ...body } })
      assert.deepEqual((await http.call('GET', `/categories/${id}`)).body, created.body)
      assert.equal((await http.call('GET', '/categories?limit=1')).body.items[0]?.id, id)
      assert.equal((await http.call('POST', '/categories', { body })).status, 401)
    })

    it('are paged through, newest first', async () => {
      const ids: string[] = []
      for (let index = 0; index < 5; index++) {
        const body = { name: `Cups ${index}`, description: 'To drink from' }
        ids.unshift((await http.call('POST', '/categories', { as: newId(), body })).body.id)
      }

      const seen = await http.pages('/categories?')

      assert.deepEqual(seen.slice(0, 5), ids)
      assert.equal(new Set(seen).size, seen.length)
    })

    it('answers 404 for what does not exist', async () => {
      assert.equal((await http.call('GET', `/categories/${newId()}`)).status, 404)
      assert.equal((await http.call('GET', `/products/${newId()}`)).status, 404)
    })
  })
})

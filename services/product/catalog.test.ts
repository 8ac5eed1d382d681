import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp, type ProductHttp } from '../../test/helpers/product-http.ts'

describe('what sellers write', () => {
  let product: ProductHttp

  before(async () => {
    product = await openProductHttp()
  })

  after(() => product.close())

  describe('a change of a product', () => {
    for (const method of ['PUT', 'PATCH']) {
      it(`is refused when it has been changed meanwhile: ${method}`, async () => {
        const { call, addProduct } = product
        const seller = newId()
        const path = `/products/${(await addProduct(seller)).id}`
        const change = (body: object, ifMatch: string) =>
          call(method, path, { as: seller, body, ifMatch })
        const seen = (await call('GET', path)).headers.get('etag') ?? ''

        const first = await change({ price: 200 }, seen)
        const second = await change({ name: 'Black tea' }, seen)

        assert.equal(first.status, 200)
        assert.equal(second.status, 412)
        assert.equal(second.body.type, 'urn:shop:problem:precondition-failed')
        const { body, headers } = await call('GET', path)
        assert.deepEqual([body.name, body.price], ['Green tea', 200])
        assert.equal(headers.get('etag'), first.headers.get('etag'))
        assert.equal(headers.get('etag'), `"${body.version}"`)
        assert.equal(
          (await change({ name: 'Black tea' }, `"x", ${headers.get('etag')}`)).status,
          200,
        )
      })
    }

    it('is made by one of many that saw the same version', async () => {
      const { call, addProduct } = product
      const seller = newId()
      const { id, version } = await addProduct(seller)

      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          call('PATCH', `/products/${id}`, {
            as: seller,
            body: { price: 200 + index },
            ifMatch: `"${version}"`,
          }),
        ),
      )

      const statuses = answers.map(({ status }) => status).toSorted()
      assert.deepEqual(statuses, [200, ...Array.from({ length: 7 }, () => 412)])
    })

    it('is not hindered by what purchases and restocks do to the stock', async () => {
      const { call, addProduct, database } = product
      const seller = newId()
      const { id, version } = await addProduct(seller)
      await database.query(`UPDATE products SET stock = stock - 1, held = 1 WHERE id = '${id}'`)

      const as = { as: seller, ifMatch: `"${version}"` }
      assert.equal(
        (await call('PATCH', `/products/${id}`, { ...as, body: { price: 9 } })).status,
        200,
      )
    })

    it('takes any version without If-Match or with a star, and none with a weak tag', async () => {
      const { call, addProduct } = product
      const seller = newId()
      const { id, version } = await addProduct(seller)
      const change = (ifMatch?: string) =>
        call('PATCH', `/products/${id}`, {
          as: seller,
          body: { price: 5 },
          ...(ifMatch && { ifMatch }),
        })

      assert.equal((await change()).status, 200)
      assert.equal((await change('*')).status, 200)
      assert.equal((await change(`W/"${version}"`)).status, 412)
      assert.equal((await change('nonsense')).status, 412)
    })
  })

  it('purges keys after their time, a batch at a time', async () => {
    const { database, repository } = product
    await database.query(`
      INSERT INTO creations (account_id, idempotency_key, body_hash, created_id, created_at)
      SELECT gen_random_uuid(), 'old ' || n, '', gen_random_uuid(),
        now() - CASE WHEN n <= 3 THEN interval '61 days' ELSE interval '59 days' END
      FROM generate_series(1, 5) AS n`)

    assert.equal(await repository.purgeCreations(60, 2), 2)
    assert.equal(await repository.purgeCreations(60, 2), 1)
    assert.equal(await repository.purgeCreations(60, 2), 0)
  })

  for (const path of ['/products', '/categories']) {
    describe(`POST ${path} with an Idempotency-Key`, () => {
      const build = () =>
        path === '/products' ? product.buildProduct() : { name: 'Tea', description: 'Leaves' }

      it('creates once what is asked many times at once, and answers all the same', async () => {
        const { call } = product
        const [as, key, body] = [newId(), newId(), await build()]

        const answers = await Promise.all(
          Array.from({ length: 6 }, () => call('POST', path, { as, key, body })),
        )
        const later = await call('POST', path, { as, key, body })

        assert.deepEqual(new Set([...answers, later].map(({ status }) => status)), new Set([201]))
        assert.equal(new Set([...answers, later].map((answer) => answer.body.id)).size, 1)
        assert.equal(later.headers.get('location'), `/api/v1${path}/${later.body.id}`)
      })

      it('refuses another body under the same key, and takes the key of another account', async () => {
        const { call } = product
        const [as, key, body] = [newId(), newId(), await build()]
        const first = await call('POST', path, { as, key, body })

        const other = await call('POST', path, { as, key, body: { ...body, name: 'Cup' } })
        const stranger = await call('POST', path, { as: newId(), key, body })

        assert.equal(other.status, 422)
        assert.equal(other.body.errors?.[0]?.field, 'idempotency-key')
        assert.equal(stranger.status, 201)
        assert.notEqual(stranger.body.id, first.body.id)
      })

      it('leaves the key free when nothing was created', async () => {
        const { call } = product
        const [as, key, body] = [newId(), newId(), await build()]
        if (path === '/categories') return
        const wrong = { ...body, category_id: newId() }

        assert.equal((await call('POST', path, { as, key, body: wrong })).status, 422)
        assert.equal((await call('POST', path, { as, key, body })).status, 201)
      })
    })
  }
})

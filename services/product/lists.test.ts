import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp, type ProductHttp } from '../../test/helpers/product-http.ts'

describe('the lists of products', () => {
  let http: ProductHttp

  before(async () => {
    http = await openProductHttp()
  })

  after(() => http.close())

  describe('lists', () => {
    it('pages through the products of a seller or a category, newest first', async () => {
      const [seller, other, category_id] = [newId(), newId(), await http.addCategory()]
      const ids: string[] = []
      for (let i = 0; i < 5; i++) ids.push((await http.addProduct(seller, { category_id })).id)
      const neighbour = await http.addProduct(other, { category_id })
      await http.addProduct(other)

      assert.deepEqual(await http.pages(`/products?id_account=${seller}`), ids.toReversed())
      assert.deepEqual(await http.pages(`/products?category_id=${category_id}`), [
        neighbour.id,
        ...ids.toReversed(),
      ])
      assert.deepEqual(
        await http.pages(`/products?category_id=${category_id}&id_account=${other}`),
        [neighbour.id],
      )
      assert.equal((await http.call('GET', '/products?limit=1')).body.items.length, 1)
    })

    it('shows those of a time, with words or without', async () => {
      const seller = newId()
      const word = `w${newId().replaceAll('-', '')}`
      const [first, second] = [
        await http.addProduct(seller, { name: word }),
        await http.addProduct(seller, { name: word }),
      ]
      await http.database.query(
        `UPDATE products SET created_at = created_at + interval '1 hour' WHERE id = '${second.id}'`,
      )
      const [row] = await http.database.query(`
        SELECT to_json(created_at AT TIME ZONE 'UTC') AS at FROM products WHERE id = '${second.id}'`)
      const at = `${row?.at}Z`

      for (const filter of [`id_account=${seller}`, `q=${word}`]) {
        assert.deepEqual(await http.pages(`/products?${filter}&created_from=${at}`), [second.id])
        assert.deepEqual(await http.pages(`/products?${filter}&created_to=${at}`), [first.id])
      }
      assert.equal((await http.call('GET', '/products?created_to=2026-11-29')).status, 400)
      const later = new Date(Date.now() + 60_000).toISOString()
      assert.deepEqual(await http.pages(`/categories?created_from=${later}`), [])
    })

    it('refuses an invalid limit, cursor or filter', async () => {
      for (const query of ['limit=0', 'limit=101', 'cursor=x', 'category_id=1', 'sort=name']) {
        assert.equal((await http.call('GET', `/products?${query}`)).status, 400, query)
      }
    })
  })

  describe('a withdrawn product', () => {
    it('is in no public list, and still shown by its id, with nothing to buy', async () => {
      const seller = newId()
      const word = `w${newId().replaceAll('-', '')}`
      const sold = await http.addProduct(seller, { name: word })
      const { id, category_id } = await http.addProduct(seller, { name: word, inventory: 7 })

      const withdrawn = await http.call('POST', `/products/${id}/withdraw`, { as: seller })

      assert.equal(withdrawn.status, 200)
      assert.deepEqual([withdrawn.body.withdrawn, withdrawn.body.inventory], [true, 7])
      for (const filter of [`id_account=${seller}`, `q=${word}`]) {
        assert.deepEqual(await http.pages(`/products?${filter}`), [sold.id])
      }
      assert.deepEqual(await http.pages(`/products?category_id=${category_id}`), [])
      const { body } = await http.call('GET', `/products/${id}`)
      assert.deepEqual([body.id, body.withdrawn, body.inventory], [id, true, 0])
    })

    it("is in its seller's own list, which can show only such or only others", async () => {
      const seller = newId()
      const [sold, other] = [await http.addProduct(seller), await http.addProduct(seller)]
      await http.addProduct(newId())
      await http.call('POST', `/products/${other.id}/withdraw`, { as: seller })
      const own = async (filter = '') => {
        const { body } = await http.call('GET', `/products/own?${filter}`, { as: seller })
        return body.items.map(({ id, inventory }) => [id, inventory])
      }

      assert.deepEqual(await own(), [
        [other.id, 10],
        [sold.id, 10],
      ])
      assert.deepEqual(await own('withdrawn=true'), [[other.id, 10]])
      assert.deepEqual(await own('withdrawn=false&q=green'), [[sold.id, 10]])
      assert.deepEqual(await own('withdrawn=true&limit=1&created_from=2999-01-01T00:00:00Z'), [])
      assert.equal((await http.call('GET', '/products/own')).status, 401)
      const foreign = await http.call('GET', `/products/own?id_account=${seller}`, { as: seller })
      assert.equal(foreign.status, 400)
    })

    it('can be offered again; repeats change nothing', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller)
      const set = (what: string, as = seller) =>
        http.call('POST', `/products/${id}/${what}`, { as })
      await set('withdraw')
      const [first] = await http.database.query(
        `SELECT withdrawn_at FROM products WHERE id = '${id}'`,
      )
      await set('withdraw')

      assert.deepEqual(
        await http.database.query(`SELECT withdrawn_at FROM products WHERE id = '${id}'`),
        [first],
      )
      assert.equal((await set('offer', newId())).status, 403)
      assert.equal((await set('offer')).body.withdrawn, false)
      assert.equal((await set('offer')).body.withdrawn, false)
      assert.deepEqual(await http.pages(`/products?id_account=${seller}`), [id])
    })

    it('is withdrawn by its seller only', async () => {
      const { id } = await http.addProduct(newId())

      assert.equal(
        (await http.call('POST', `/products/${id}/withdraw`, { as: newId() })).status,
        403,
      )
      assert.equal(
        (await http.call('POST', `/products/${newId()}/withdraw`, { as: newId() })).status,
        404,
      )
      assert.equal((await http.call('POST', `/products/${id}/withdraw`)).status, 401)
    })
  })
})

import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp, type ProductHttp } from '../../test/helpers/product-http.ts'

describe('the inventory of a product', () => {
  let http: ProductHttp

  before(async () => {
    http = await openProductHttp()
  })

  after(() => http.close())

  describe('POST /products/:id/restock', () => {
    it('adds once per key, and again under another key', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      const key = newId()
      const restock = (under: string) =>
        http.call('POST', `/products/${id}/restock`, {
          as: seller,
          key: under,
          body: { quantity: 5 },
        })

      const answers = await Promise.all([restock(key), restock(key), restock(key)])
      assert.deepEqual(
        answers.map(({ status, body }) => [status, body.inventory]),
        Array.from({ length: 3 }, () => [200, 15]),
      )
      assert.equal((await restock(newId())).body.inventory, 20)

      const rows = await http.database.query(
        `SELECT stock, received FROM products WHERE id = '${id}'`,
      )
      assert.deepEqual(rows, [{ stock: 20, received: 20 }])
    })

    it('refuses a key that was used with another quantity', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      const key = newId()
      const restock = (quantity: number) =>
        http.call('POST', `/products/${id}/restock`, { as: seller, key, body: { quantity } })
      await restock(5)

      const answer = await restock(6)

      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors?.[0]?.field, 'idempotency-key')
      assert.equal((await http.call('GET', `/products/${id}`)).body.inventory, 15)
    })

    it('refuses a quantity that would exceed the column', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 2_147_483_647 })

      const answer = await http.call('POST', `/products/${id}/restock`, {
        as: seller,
        key: newId(),
        body: { quantity: 1 },
      })

      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors?.[0]?.field, 'quantity')
    })

    it('is for the seller only and needs a key', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller)
      const restock = (as: string, key?: string, product = id) =>
        http.call('POST', `/products/${product}/restock`, { as, key, body: { quantity: 1 } })

      assert.equal((await restock(newId(), newId())).status, 403)
      assert.equal((await restock(seller, newId(), newId())).status, 404)
      assert.equal((await restock(seller)).status, 400)
    })
  })

  describe('POST /products/:id/adjustments', () => {
    const adjust = (
      id: string,
      {
        as,
        key = newId(),
        ...body
      }: { as: string; key?: string; quantity: number; reason?: string },
    ) =>
      http.call('POST', `/products/${id}/adjustments`, {
        as,
        key,
        body: { reason: 'Broken', ...body },
      })

    it('takes out of the free stock once per key, with the reason on record', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      const key = newId()

      const answers = await Promise.all([
        adjust(id, { as: seller, key, quantity: 3 }),
        adjust(id, { as: seller, key, quantity: 3 }),
      ])
      const next = await adjust(id, { as: seller, quantity: 1, reason: 'Used as a sample' })

      assert.deepEqual(
        answers.map(({ status, body }) => [status, body.inventory]),
        [
          [200, 7],
          [200, 7],
        ],
      )
      assert.equal(next.body.inventory, 6)
      const rows = await http.database.query(
        `SELECT stock, received FROM products WHERE id = '${id}'`,
      )
      assert.deepEqual(rows, [{ stock: 6, received: 6 }])
      const { body } = await http.call('GET', `/products/${id}/adjustments`, { as: seller })
      const items = body.items as unknown as { quantity: number; reason: string }[]
      assert.deepEqual(
        items.map(({ quantity, reason }) => [quantity, reason]),
        [
          [1, 'Used as a sample'],
          [3, 'Broken'],
        ],
      )
      const page = await http.call('GET', `/products/${id}/adjustments?limit=1`, { as: seller })
      assert.equal(page.body.next_cursor, body.items[0]?.id)
    })

    it('are listed by their time, its end excluded', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      await adjust(id, { as: seller, quantity: 1 })
      await http.database.query(
        `UPDATE stock_adjustments SET created_at = created_at - interval '1 minute' WHERE product_id = '${id}'`,
      )
      await adjust(id, { as: seller, quantity: 2 })
      const shown = async (filter: string) => {
        const path = `/products/${id}/adjustments?${filter}`
        const { body } = await http.call('GET', path, { as: seller })
        return body.items as unknown as { quantity: number; created_at: string }[]
      }
      const [at = ''] = (await shown('limit=1')).map(({ created_at }) => created_at)
      const quantities = async (filter: string) =>
        (await shown(filter)).map(({ quantity }) => quantity)

      assert.deepEqual(await quantities(`created_from=${at}`), [2])
      assert.deepEqual(await quantities(`created_to=${at}`), [1])
      assert.deepEqual(await quantities(`created_from=${at}&created_to=${at}`), [])
    })

    it('never takes what purchases hold', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      await http.database.query(`UPDATE products SET stock = 4, held = 6 WHERE id = '${id}'`)

      const refused = await adjust(id, { as: seller, quantity: 5 })
      const taken = await adjust(id, { as: seller, quantity: 4 })

      assert.equal(refused.status, 422)
      assert.deepEqual(refused.body.errors, [
        { field: 'quantity', rule: 'is more than the 4 that are free' },
      ])
      assert.equal(taken.body.inventory, 0)
    })

    it('refuses a key that was used with another quantity or reason', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      const key = newId()
      await adjust(id, { as: seller, key, quantity: 1 })

      for (const other of [{ quantity: 2 }, { quantity: 1, reason: 'Lost' }]) {
        const { status, body } = await adjust(id, { as: seller, key, ...other })
        assert.equal(status, 422)
        assert.equal(body.errors?.[0]?.field, 'idempotency-key')
      }
    })

    it('is for the seller only, and needs a key, a quantity and a reason', async () => {
      const seller = newId()
      const { id } = await http.addProduct(seller, { inventory: 10 })
      const path = `/products/${id}/adjustments`

      assert.equal((await adjust(id, { as: newId(), quantity: 1 })).status, 403)
      assert.equal((await adjust(newId(), { as: seller, quantity: 1 })).status, 404)
      assert.equal((await http.call('GET', path, { as: newId() })).status, 403)
      assert.equal((await http.call('GET', path)).status, 401)
      const refusals = [{ quantity: 1 }, { quantity: 0, reason: 'x' }, { quantity: 1, reason: ' ' }]
      for (const body of refusals) {
        const { status } = await http.call('POST', path, { as: seller, key: newId(), body })
        assert.equal(status, 400)
      }
      const body = { quantity: 1, reason: 'x' }
      assert.equal((await http.call('POST', path, { as: seller, body })).status, 400)
    })
  })
})

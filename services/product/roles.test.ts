import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { openProductHttp, type ProductHttp } from '../../test/helpers/product-http.ts'

describe('roles at product', () => {
  const [buyer, seller, admin] = [newId(), newId(), newId()]
  const roles = new Map([
    [buyer, ['buyer']],
    [seller, ['seller']],
    [admin, ['admin']],
  ])
  let product: ProductHttp
  const category = { name: 'Tea', description: 'Leaves' }

  before(async () => {
    product = await openProductHttp({ categoriesBy: 'admins', roles })
  })

  after(() => product.close())

  it('let only admins make categories, where the shop says so', async () => {
    const create = (as: string) => product.call('POST', '/categories', { as, body: category })

    const refused = await create(seller)
    assert.equal(refused.status, 403)
    assert.equal(refused.body.detail, 'this needs the role admin')
    assert.equal((await create(buyer)).status, 403)
    assert.equal((await create(admin)).status, 201)
  })

  it('let only sellers create and change products and their stock', async () => {
    const { body } = await product.call('POST', '/categories', { as: admin, body: category })
    const form = await product.buildProduct({ category_id: body.id })
    const create = (as: string) => product.call('POST', '/products', { as, body: form })

    assert.equal((await create(buyer)).status, 403)
    assert.equal((await create(admin)).status, 403)
    const { body: created, status } = await create(seller)
    assert.equal(status, 201)
    roles.set(seller, ['buyer'])
    const path = `/products/${created.id}`
    const change = { as: seller, key: newId(), body: { quantity: 1, reason: 'Broken' } }
    const { reason: _, ...restock } = change.body
    const answers = [
      await product.call('PATCH', path, { as: seller, body: { price: 1 } }),
      await product.call('PUT', path, { as: seller, body: { price: 1 } }),
      await product.call('POST', `${path}/restock`, { ...change, body: restock }),
      await product.call('POST', `${path}/adjustments`, change),
      await product.call('POST', `${path}/offer`, { as: seller }),
    ]
    roles.set(seller, ['seller'])

    assert.deepEqual(
      answers.map((answer) => [answer.status, answer.body.detail]),
      Array.from({ length: 5 }, () => [403, 'this needs the role seller']),
    )
  })

  it('let a former seller withdraw products and see them', async () => {
    const { body } = await product.call('POST', '/categories', { as: admin, body: category })
    const former = newId()
    const { id } = await product.addProduct(former, { category_id: body.id })
    roles.set(former, ['buyer'])

    assert.equal(
      (await product.call('POST', `/products/${id}/withdraw`, { as: former })).status,
      200,
    )
    const own = await product.call('GET', '/products/own', { as: former })
    assert.deepEqual(
      own.body.items.map((item) => item.id),
      [id],
    )
  })
})

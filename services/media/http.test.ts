import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { imageFile, mp4File } from '../../test/helpers/media-files.ts'
import { type MediaBody, type MediaFixture, startMedia } from '../../test/helpers/media-service.ts'
import { createGrpcHandlers } from './grpc.ts'

describe('media HTTP', () => {
  let fixture: MediaFixture

  before(async () => {
    fixture = await startMedia()
  })

  after(() => fixture.close())

  it('names what is wrong with a form', async () => {
    const { productId, token } = fixture.addProduct()
    const file = new Blob([new Uint8Array(await imageFile('png'))])
    const build = (...fields: [string, string | Blob][]) => {
      const form = new FormData()
      for (const [name, value] of fields) form.append(name, value)
      return form
    }
    const [product, alt, data] = [['product_id', productId] as const, ['alt', 'x'] as const, 'data']
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
      const { status, body } = await fixture.leavesNothing(() => fixture.send(form, token))
      assert.equal(status, 400, field)
      assert.ok(
        body.errors?.some((error) => error.field === field),
        field,
      )
    }
  })

  it('refuses a body that is no form', async () => {
    const { token } = fixture.addProduct()
    for (const contentType of ['application/json', 'text/plain', 'multipart/form-data']) {
      const response = await fetch(`${fixture.base}/media/upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
        body: '{}',
      })
      assert.equal(response.status, 415, contentType)
    }
  })

  it('pages through the media of a product, newest first', async () => {
    const product = fixture.addProduct()
    const content = await imageFile('png', 4, 4)
    const ids: string[] = []
    for (const count of [3, 2]) {
      const files = Array.from({ length: count }, () => ({ name: 'a.png', content }))
      ids.push(...(await fixture.upload(files, product)).body.items.map(({ id }) => id))
    }
    await fixture.upload([{ name: 'a.png', content }])

    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query = `product_id=${product.productId}&limit=2${cursor && `&cursor=${cursor}`}`
      const page = (await (await fetch(`${fixture.base}/media?${query}`)).json()) as MediaBody
      assert.ok(page.items.length <= 2)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.next_cursor
    }

    assert.deepEqual(seen, ids.toReversed())
    assert.equal((await fetch(`${fixture.base}/media`)).status, 400)
    assert.equal((await fetch(`${fixture.base}/media?product_id=1`)).status, 400)
  })

  it('shows the media of a time, its end excluded', async () => {
    const product = fixture.addProduct()
    const file = { name: 'a.png', content: await imageFile('png', 4, 4) }
    const [earlier, later] = (await fixture.upload([file, file], product)).body.items
    assert.ok(earlier && later)
    await fixture.database.query(
      `UPDATE media SET created_at = created_at - interval '1 minute' WHERE id = '${earlier.id}'`,
    )
    const shown = async (query: string) => {
      const url = `${fixture.base}/media?product_id=${product.productId}&${query}`
      return ((await (await fetch(url)).json()) as MediaBody).items.map(({ id }) => id)
    }
    const at = later.created_at

    assert.deepEqual(await shown(`created_from=${at}`), [later.id])
    assert.deepEqual(await shown(`created_to=${at}`), [earlier.id])
    assert.deepEqual(await shown(`created_from=${at}&created_to=${at}`), [])
  })

  it('tells over gRPC the first ten media of each product, in the order of upload', async () => {
    const [full, small] = [fixture.addProduct(), fixture.addProduct()]
    const files = Array.from({ length: 3 }, () => ({ name: 'a.mp4', content: mp4File() }))
    const ids: string[] = []
    for (let i = 0; i < 4; i++) {
      ids.push(...(await fixture.upload(files, full)).body.items.map(({ id }) => id))
    }
    const png = { name: 'a.png', content: await imageFile('png', 4, 5) }
    const [image] = (await fixture.upload([png], small)).body.items

    const { media } = await createGrpcHandlers(fixture.service).ListByProducts({
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

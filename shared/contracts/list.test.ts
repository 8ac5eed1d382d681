import assert from 'node:assert/strict'
import { routesOfContracts } from '../../test/helpers/routes.ts'
import { leavesOf } from '../../test/helpers/schemas.ts'
import { newId } from './ids.ts'
import type { Route } from './route.ts'

describe('an id in a path', () => {
  let routes: Route[]

  before(async () => {
    routes = (await routesOfContracts()).filter(({ path }) => path.includes('/:id'))
  })

  it('is the same id in upper case, on every route', () => {
    const id = newId()
    for (const { method, path, params } of routes) {
      const parsed = params?.safeParse({ id: id.toUpperCase() })
      assert.deepEqual(parsed?.data, { id }, `${method} ${path}`)
    }
    assert.ok(routes.length >= 25)
  })

  it('is the same id in upper case, wherever a query or a body names one', async () => {
    const id = newId()
    const leaves = (await routesOfContracts()).flatMap(({ body, query, multipart, path }) =>
      [body, query, multipart?.fields]
        .flatMap((part) => (part ? leavesOf(part) : []))
        .map(([field, leaf]) => ({ name: `${field} of ${path}`, leaf })),
    )
    const ids = leaves.filter(
      ({ leaf }) => leaf.safeParse(id).success && !leaf.safeParse('not-an-id').success,
    )

    const asWritten = ids.filter(({ leaf }) => leaf.safeParse(id.toUpperCase()).data !== id)
    assert.deepEqual(
      asWritten.map(({ name }) => name),
      [],
    )
    assert.ok(ids.length >= 20, `${ids.length} ids`)
  })

  it('is refused when it is none', () => {
    for (const { params } of routes) assert.equal(params?.safeParse({ id: 'x' }).success, false)
  })
})

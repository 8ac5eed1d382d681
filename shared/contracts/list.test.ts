import assert from 'node:assert/strict'
import { z } from 'zod'
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

describe('a list', () => {
  const shapeOf = (schema: unknown) => (schema instanceof z.ZodObject ? schema.shape : {})
  /** Words for a status that are not `status`, by the path of their list. */
  const statusIn: Record<string, string> = {
    '/provider-events': 'outcome',
    '/dead-letters': 'state',
  }

  it('is narrowed to a time, and to a status where what it lists has one', async () => {
    const lists = (await routesOfContracts()).filter(
      ({ response }) => 'next_cursor' in shapeOf(response),
    )
    assert.ok(lists.length >= 14, `${lists.length} lists`)
    for (const { path, query, response } of lists) {
      const asked = Object.keys(shapeOf(query))
      const time = path === '/sagas' ? 'started' : 'created'
      assert.ok(asked.includes(`${time}_from`) && asked.includes(`${time}_to`), path)
      const { items } = shapeOf(response)
      const item = items instanceof z.ZodArray ? shapeOf(items.element) : {}
      const status = statusIn[path] ?? 'status'
      assert.equal(asked.includes(status), status in item, path)
    }
  })
})

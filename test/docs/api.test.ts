import assert from 'node:assert/strict'
import type { Route } from '../../shared/contracts/route.ts'
import { routesByService } from '../../shared/contracts/routes.ts'
import { readDocument, rowsOf, section } from './markdown.ts'

describe('docs/api.md', () => {
  it('lists the routes of every service, and which need a token', async () => {
    const text = await readDocument('docs/api.md')
    const expected = Object.entries(routesByService).map(([service, routes]) => {
      const lines = Object.values<Route>(routes).map(
        ({ method, path, auth }) => `${method.toUpperCase()} ${path}${auth ? ' ✱' : ''}`,
      )
      // Said in words: the one route that answers to two methods.
      return [service, lines.filter((line) => line !== 'POST /account/customer/personal ✱').sort()]
    })

    const rows = rowsOf(section(text, '## Routes'), 'service', 'endpoints')
    const documented = rows.map(({ service, endpoints }) => {
      const routes = [...endpoints.matchAll(/`([A-Z]+ \/[^`]+)`(✱?)/g)]
      return [service, routes.map(([, route, star]) => `${route}${star && ' ✱'}`).sort()]
    })

    assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(expected))
  })
})

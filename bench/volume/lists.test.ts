import assert from 'node:assert/strict'
import { providerEventRoutes } from '../../shared/contracts/payment.ts'
import { operatorRefundRoutes } from '../../shared/contracts/refund.ts'
import type { Route } from '../../shared/contracts/route.ts'
import { routesByService } from '../../shared/contracts/routes.ts'
import { listsOf } from './lists.ts'

const id = '01980a4e-7a10-7c3e-9d41-5b8f2c6e1a71'
const shop = Object.values(routesByService).flatMap((routes): Route[] => Object.values(routes))
const operated: Route[] = Object.values({ ...providerEventRoutes, ...operatorRefundRoutes })
const tokens: Record<string, string | undefined> = {
  '/purchases': 'customer',
  '/orders': 'customer',
  '/payments': 'customer',
  '/payments/:id/refunds': 'customer',
  '/sales': 'seller',
  '/products/own': 'seller',
  '/products/:id/adjustments': 'seller',
  '/refunds': 'operator',
  '/provider-events': 'operator',
}

const isList = ({ method, query }: Route) => method === 'get' && query !== undefined
const byLength = (a: Route, b: Route) => b.path.length - a.path.length

describe('the lists of the filled shop', () => {
  const lists = listsOf({
    ...{ api: 'shop', operatorApi: 'operators' },
    ...{ customerToken: 'customer', sellerToken: 'seller', operatorToken: 'operator' },
    ...{ sellerId: id, categoryId: id, adjustedProduct: id, refundedPayment: id },
    ...{ middleProduct: id, oldProduct: id, middlePurchase: id, middleEvent: 5 },
    productMonth: { from: new Date(0), to: new Date(1) },
    purchaseMonth: { from: new Date(2), to: new Date(3) },
  })
  const routeOf = ({ api, path }: (typeof lists)[number]) => {
    const template = path.split('?')[0]?.replace(id, ':id')
    const routes = api === 'shop' ? shop : operated
    return routes.toSorted(byLength).find((route) => isList(route) && route.path === template)
  }

  it('are every list of the contracts', () => {
    const asked = new Set(lists.map((list) => routeOf(list)?.path))
    const all = [...shop, ...operated].filter(isList).map(({ path }) => path)

    assert.deepEqual([...asked].sort(), [...new Set(all)].sort())
  })

  it('are asked for with queries that their routes take, by one who may', () => {
    for (const list of lists) {
      const route = routeOf(list)
      const query = Object.fromEntries(new URLSearchParams(list.path.split('?')[1]))

      assert.ok(route?.query?.safeParse(query).success, list.path)
      assert.equal(list.token, tokens[route.path], list.path)
    }
  })

  it('are narrowed to a status and a time wherever that narrows much', () => {
    const few = ['/categories', '/media', '/payments/:id/refunds']
    const queries = Map.groupBy(lists, (list) => routeOf(list)?.path)
    for (const { path, query } of [...shop, ...operated].filter(isList)) {
      const own = (queries.get(path) ?? []).map((list) => list.path).join(' ')
      const takes = (name: string) => Object.hasOwn(query?.shape ?? {}, name)

      if (takes('status')) assert.match(own, /[?&]status=/, path)
      if (takes('created_from') && !few.includes(path))
        assert.match(own, /[?&]created_from=\S*&created_to=/, path)
    }
  })
})

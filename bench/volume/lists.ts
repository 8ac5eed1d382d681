import { expectStatus, request } from '../../scripts/stack/shop-client.ts'
import { summarize } from '../stats.ts'
import { searchWords } from './fill.ts'

export type ListFigures = { name: string; p50: number; p95: number; items: number }
type Page = { items: unknown[] }
/** A list, who asks for it, and where: operators have an entry point of their own. */
export type List = { name: string; api: string; path: string; token?: string }

type Time = { from: Date; to: Date }

/** What is asked for, and by whom. `middle` ids lie in the middle of what there is. */
export type Asked = {
  api: string
  operatorApi: string
  customerToken: string
  sellerToken: string
  operatorToken: string
  sellerId: string
  middleProduct: string
  oldProduct: string
  middlePurchase: string
  middleEvent: number
  categoryId: string
  /** The product that has all adjustments, and a payment of the customer that was refunded. */
  adjustedProduct: string
  refundedPayment: string
  /** A month in the middle of all products, and of all purchases. */
  productMonth: Time
  purchaseMonth: Time
}

/** The ways to ask for a list, by name: each a query. */
type Ways = Record<string, string>

const requests = 25
const warmUp = 3

/** Every list of the shop that grows with its history, at its beginning and far from it. */
export function listsOf(asked: Asked): List[] {
  const { customerToken, sellerToken, operatorToken, adjustedProduct, refundedPayment } = asked
  const month = inTime(asked.purchaseMonth)
  const pages = (cursor: string | number): Ways => ({
    'first page': '',
    'deep page': `cursor=${cursor}`,
    '100 at once': 'limit=100',
  })
  const ofPurchases = (status: string, others: Ways = {}): Ways => ({
    ...pages(asked.middlePurchase),
    'of a status': `status=${status}`,
    'of a month': month,
    'of a status and a month': `status=${status}&${month}`,
    ...others,
  })
  const listIn =
    (api: string) =>
    (path: string, ways: Ways, token?: string): List[] =>
      Object.entries(ways).map(([name, query]) => ({
        name: `${path}: ${name}`,
        api,
        path: query === '' ? path : `${path}?${query}`,
        ...(token !== undefined && { token }),
      }))
  const list = listIn(asked.api)
  const operated = listIn(asked.operatorApi)
  return [
    ...list('/products', productWays(asked)),
    ...list('/categories', { 'first page': '' }),
    ...list('/media', { 'of a product': `product_id=${adjustedProduct}` }),
    ...list('/purchases', ofPurchases('REJECTED'), customerToken),
    ...list('/orders', ofPurchases('CANCELLED'), customerToken),
    ...list('/payments', ofPurchases('DECLINED'), customerToken),
    ...list(
      `/payments/${refundedPayment}/refunds`,
      { 'first page': '', 'of a status': 'status=COMPLETED' },
      customerToken,
    ),
    ...list(
      '/sales',
      ofPurchases('REJECTED', {
        'of a status that most have': 'status=COMPLETED',
        'of a status that none has': 'status=RESOLVED',
        unfinished: 'status=PROCESSING',
      }),
      sellerToken,
    ),
    ...list('/products/own', ownProductWays(asked), sellerToken),
    ...list(
      `/products/${adjustedProduct}/adjustments`,
      { ...pages(asked.middlePurchase), 'of a month': month },
      sellerToken,
    ),
    ...operated(
      '/refunds',
      ofPurchases('COMPLETED', {
        'of a status that none has': 'status=FAILED',
        'of a payment': `payment_id=${refundedPayment}`,
      }),
      operatorToken,
    ),
    ...operated(
      '/provider-events',
      {
        ...pages(asked.middleEvent),
        'made outside': 'outcome=OUTSIDE',
        settled: 'outcome=SETTLED',
        'of a month': month,
      },
      operatorToken,
    ),
  ]
}

const inTime = ({ from, to }: Time) =>
  `created_from=${from.toISOString()}&created_to=${to.toISOString()}`
const q = (words: string) => `q=${encodeURIComponent(words)}`

function productWays({ middleProduct, oldProduct, productMonth, ...ids }: Asked): Ways {
  return {
    'first page': '',
    'deep page': `cursor=${middleProduct}`,
    'deepest pages': `limit=100&cursor=${oldProduct}`,
    'of a category': `category_id=${ids.categoryId}`,
    'of a seller': `id_account=${ids.sellerId}`,
    'of a month': inTime(productMonth),
    'frequent word': q(searchWords.frequent),
    'rare word': q(searchWords.rare),
    'absent word': q(searchWords.absent),
    'frequent word, only in old ones': q(searchWords.old),
    'its beginning': q(searchWords.old.slice(0, 3)),
    'two frequent words, only in old ones': q(`${searchWords.old} ${searchWords.frequent}`),
    'frequent word, deep page': `${q(searchWords.frequent)}&cursor=${middleProduct}`,
    'frequent word of a category': `${q(searchWords.frequent)}&category_id=${ids.categoryId}`,
  }
}

function ownProductWays({ middleProduct, productMonth, categoryId }: Asked): Ways {
  return {
    'first page': '',
    'deep page': `cursor=${middleProduct}`,
    '100 at once': 'limit=100',
    offered: 'withdrawn=false',
    withdrawn: 'withdrawn=true',
    'of a month': inTime(productMonth),
    'of a category': `category_id=${categoryId}`,
    'frequent word': q(searchWords.frequent),
  }
}

/** How long each list takes, one request after the other, through Traefik. Throws unless each is answered with 200. */
export async function measureLists(
  lists: List[],
  onProgress: (lists: number) => void,
): Promise<ListFigures[]> {
  const figures: ListFigures[] = []
  for (const { name, api, path, token } of lists) {
    const times: number[] = []
    let items = 0
    for (let count = -warmUp; count < requests; count++) {
      const started = performance.now()
      const answer = await request<Page>(api, 'GET', path, token === undefined ? {} : { token })
      if (count >= 0) times.push(performance.now() - started)
      items = expectStatus(answer, 200).items.length
    }
    const { p50, p95 } = summarize(times)
    figures.push({ name, items, p50, p95 })
    onProgress(figures.length)
  }
  return figures
}

/** Requests each list once, so that its statements are logged. */
export async function requestLists(lists: List[]): Promise<void> {
  for (const { api, path, token } of lists) {
    expectStatus(await request(api, 'GET', path, token === undefined ? {} : { token }), 200)
  }
}

import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import * as undici from 'undici'
import type { TokenPair } from '../../shared/contracts/account.ts'
import type {
  Category,
  CreateProduct,
  Product,
  ProductWithMedia,
} from '../../shared/contracts/product.ts'
import type { AcceptedPurchase, CreatePurchase, Purchase } from '../../shared/contracts/purchase.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'

export type Answer<T> = { status: number; body: T; headers: IncomingHttpHeaders }

const unfinished = new Set<string>(['ACCEPTED', 'PROCESSING', 'CANCELLING'])
const requestDeadlineMs = 10_000

/**
 * A request to the shop, as a customer's program would make it. `token` is an access token. Not by `fetch`, which takes
 * three times the CPU: the benchmark shares the machine with the shop.
 */
export async function request<T>(
  api: string,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  {
    token,
    body,
    headers,
  }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer<T>> {
  const response = await undici.request(`${api}/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(requestDeadlineMs),
  })
  const text = await response.body.text()
  const type = String(response.headers['content-type'])
  const answer = text && type.includes('json') ? JSON.parse(text) : text
  return { status: response.statusCode, body: answer as T, headers: response.headers }
}

/** The body of an answer that must have the given status. Throws with what came instead. */
export function expectStatus<T>(answer: Answer<T>, status: number): T {
  if (answer.status === status) return answer.body
  throw new Error(`expected ${status}, got ${answer.status}: ${JSON.stringify(answer.body)}`)
}

/** Registers a customer of its own and returns what they can do; every failure throws. */
export async function registerCustomer(api: string) {
  const email = `customer-${randomBytes(6).toString('hex')}@example.com`
  const password = `secret-${randomBytes(9).toString('base64url')}`
  const registered = await request<TokenPair>(api, 'POST', '/account/register', {
    body: {
      email,
      password,
      first_name: 'Lan',
      last_name: 'Nguyen',
      address: '123 quan 9',
      phone_number: '0110213813',
    },
  })
  const token = expectStatus(registered, 201).access_token

  async function post<T>(path: string, body: unknown): Promise<T> {
    return expectStatus(await request<T>(api, 'POST', path, { token, body }), 201)
  }

  async function getPurchase(id: string): Promise<Purchase> {
    return expectStatus(await request<Purchase>(api, 'GET', `/purchases/${id}`, { token }), 200)
  }

  return {
    email,
    password,
    token,
    createCategory: (name: string) =>
      post<Category>('/categories', { name, description: `All about ${name}` }),
    createProduct: (product: CreateProduct) => post<Product>('/products', product),
    /** Resolves when the page of the product shows the picture. `alt` says what it shows. */
    async addPicture(productId: string, alt: string, png: Buffer): Promise<void> {
      const form = new FormData()
      // The fields come before the file.
      form.set('product_id', productId)
      form.set('alt', alt)
      form.append('data', new Blob([new Uint8Array(png)]), 'picture.png')
      const uploaded = await fetch(`${api}/api/v1/media/upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: form,
      })
      if (uploaded.status !== 201) throw new Error(`no picture: ${await uploaded.text()}`)
      // Product believes for a second what media told it before.
      await waitFor('the picture on the page of the product', async () => {
        const product = await request<ProductWithMedia>(api, 'GET', `/products/${productId}`)
        return expectStatus(product, 200).media.length > 0
      })
    },
    buy: (
      body: { order_items: CreatePurchase['order_items']; method?: string },
      idempotencyKey?: string,
      headers: Record<string, string> = {},
    ) =>
      request<AcceptedPurchase>(api, 'POST', '/purchases', {
        token,
        headers: {
          ...headers,
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        body: {
          order_items: body.order_items,
          payment: { currency_code: 'VND', ...(body.method && { method: body.method }) },
        },
      }),
    getPurchase,
    cancel: (id: string) =>
      request<AcceptedPurchase>(api, 'POST', `/purchases/${id}/cancel`, { token }),
    get: <T>(path: string) => request<T>(api, 'GET', path, { token }),
    /** The purchase in its terminal state. Throws when it has none in time. */
    waitForEnd: (id: string, deadlineMs = 120_000): Promise<Purchase> =>
      waitFor(
        `purchase ${id} to end`,
        async () => {
          const purchase = await getPurchase(id)
          return unfinished.has(purchase.status) ? undefined : purchase
        },
        deadlineMs,
      ),
  }
}

export type Customer = Awaited<ReturnType<typeof registerCustomer>>

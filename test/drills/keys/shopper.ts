import { setTimeout as sleep } from 'node:timers/promises'
import { expectStatus, request } from '../../../scripts/stack/shop-client.ts'
import type { TokenPair } from '../../../shared/contracts/account.ts'
import { newId } from '../../../shared/contracts/ids.ts'
import type { AcceptedPurchase } from '../../../shared/contracts/purchase.ts'

const pauseMs = 200
/** The part of a token's life after which a program asks for another one. */
const refreshAfter = 0.5

export type Answers = { reads: number; purchases: number; refreshes: number; unexpected: string[] }

/**
 * A customer's program that reads, buys and refreshes its tokens until something is done, and never asks twice: what is
 * not answered as it should be is noted.
 */
export async function openShopper(api: string, email: string) {
  const registered = await request<TokenPair>(api, 'POST', '/account/register', {
    body: {
      email,
      password: `secret-${newId()}`,
      ...{ first_name: 'Lan', last_name: 'Nguyen' },
      ...{ address: '123 quan 9', phone_number: '0110213813' },
    },
  })
  let tokens = expectStatus(registered, 201)
  let refreshAt = dueAt(tokens)
  const answers: Answers = { reads: 0, purchases: 0, refreshes: 0, unexpected: [] }
  const accepted: string[] = []

  function dueAt({ expires_in }: TokenPair): number {
    return Date.now() + expires_in * 1_000 * refreshAfter
  }

  async function ask<T>(
    method: 'GET' | 'POST',
    path: string,
    status: number,
    options: Parameters<typeof request>[3] = {},
  ): Promise<T | undefined> {
    const answer = await request<T>(api, method, path, options).catch((error: Error) => error)
    if (!(answer instanceof Error) && answer.status === status) return answer.body
    const came = answer instanceof Error ? answer.message : answer.status
    answers.unexpected.push(`${method} ${path} at ${new Date().toISOString()}: ${came}`)
    return undefined
  }

  async function refresh(): Promise<void> {
    const body = { refresh_token: tokens.refresh_token }
    const fresh = await ask<TokenPair>('POST', '/account/refresh', 200, { body })
    if (!fresh) return
    tokens = fresh
    refreshAt = dueAt(fresh)
    answers.refreshes += 1
  }

  return {
    email,
    answers,
    accepted,
    token: () => tokens.access_token,
    ask,

    /** Reads and buys in turn. */
    async shop(done: Promise<unknown>, productId: string): Promise<void> {
      const paths = [`/products/${productId}`, '/purchases?limit=5', '/orders?limit=5']
        .concat('/payments?limit=5', '/account/customer/delivery', '/products?limit=5')
        .concat(`/media?product_id=${productId}`)
      let shopping = true
      void done.catch(() => {}).then(() => (shopping = false))
      for (let turn = 0; shopping; turn++) {
        if (Date.now() > refreshAt) await refresh()
        const token = tokens.access_token
        const path = paths[turn % (paths.length + 1)]
        if (path) {
          if (await ask('GET', path, 200, { token })) answers.reads += 1
        } else {
          const order_items = [{ product_id: productId, quantity: 1 }]
          const body = { order_items, payment: { currency_code: 'VND' } }
          const headers = { 'idempotency-key': newId() }
          const options = { token, body, headers }
          const bought = await ask<AcceptedPurchase>('POST', '/purchases', 202, options)
          if (bought) accepted.push(bought.purchase_id)
          if (bought) answers.purchases += 1
        }
        await sleep(pauseMs)
      }
    },
  }
}

export type Shopper = Awaited<ReturnType<typeof openShopper>>

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import sharp from 'sharp'
import { type Customer, expectStatus, registerCustomer } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Media } from '../../shared/contracts/media.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'

/* What a customer does in a shop that runs in containers, whatever runs them. */

/** What these checks share. */
export type ShopContext = {
  /** Where the shop and the pages of the mail server are. */
  urls: { shop: string; mail: string }
  /** Of the first check that buys, for those after it. */
  shop?: { customer: Customer; productId: string; purchaseId: string }
}

/** What the first check that buys has left. */
export function shopOf({ shop }: ShopContext) {
  assert.ok(shop, 'nothing was bought yet')
  return shop
}

/** Buys one piece and waits for the end of the purchase. */
export async function buy(context: ShopContext, method?: string) {
  const { customer, productId } = shopOf(context)
  const order = { order_items: [{ product_id: productId, quantity: 1 }], ...(method && { method }) }
  const key = newId()
  const { purchase_id } = await waitFor(
    'a purchase to be accepted',
    async () => expectStatus(await customer.buy(order, key), 202),
    60_000,
  )
  return customer.waitForEnd(purchase_id, 90_000)
}

export async function buysAndIsDeclined(context: ShopContext): Promise<void> {
  const customer = await registerCustomer(context.urls.shop)
  const { id: category_id } = await customer.createCategory('Cups')
  const product = await customer.createProduct({
    category_id,
    name: 'Cup',
    description: 'To drink from',
    brand_name: 'Hill',
    price: 1_000,
    inventory: 1_000,
  })
  context.shop = { customer, productId: product.id, purchaseId: '' }

  const bought = await buy(context)
  assert.equal(bought.status, 'COMPLETED')
  context.shop.purchaseId = bought.purchase_id

  assert.equal((await buy(context, 'sim_declined')).status, 'REJECTED')
}

export async function uploads(context: ShopContext): Promise<void> {
  const { customer, productId } = shopOf(context)
  const picture = await sharp({
    create: { width: 64, height: 64, channels: 3, background: 'teal' },
  })
    .png()
    .toBuffer()
  const form = new FormData()
  form.set('product_id', productId)
  form.set('alt', 'A cup')
  form.set('data', new Blob([new Uint8Array(picture)], { type: 'image/png' }), 'cup.png')

  const answer = await fetch(`${context.urls.shop}/api/v1/media/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${customer.token}` },
    body: form,
  })

  const { items } = (await answer.json()) as { items: Media[] }
  assert.equal(answer.status, 201)
  const [media] = items
  const file = await fetch(media?.url ?? '')
  const stored = Buffer.from(await file.arrayBuffer())
  assert.equal(createHash('sha256').update(stored).digest('hex'), media?.checksum)
}

export async function readsMail(context: ShopContext): Promise<void> {
  const { email } = shopOf(context).customer
  await waitFor(
    'the mails of two purchases',
    async () => {
      const query = `kind=to&query=${encodeURIComponent(email)}`
      const answer = await fetch(`${context.urls.mail}/api/v2/search?${query}`)
      const { count } = (await answer.json()) as { count: number }
      return count >= 2
    },
    30_000,
  )
}

/** How many purchases a replica was asked for, by its metrics. */
export function postsIn(metrics: string): number {
  const lines = metrics.matchAll(/^http_request_duration_seconds_count\{(.*)\} (\d+)$/gm)
  return [...lines]
    .filter(([, labels]) => labels?.includes('method="POST"') && labels.includes('/purchases"'))
    .reduce((sum, [, , count]) => sum + Number(count), 0)
}

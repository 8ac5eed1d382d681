import { setTimeout as sleep } from 'node:timers/promises'
import { type Customer, request } from '../../scripts/stack/shop-client.ts'
import type { Product } from '../../shared/contracts/product.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { imageFile } from '../helpers/media-files.ts'
import type { Drill } from './drill.ts'
import type { Rig } from './rig.ts'

/** For what was unavailable to work again, on a busy machine. */
const backMs = 120_000

type Mail = { subject: string; to: { address: string }[] }

/** The number of e-mails of this kind in the mail catcher. */
async function mailsTo(rig: Rig, { email }: Customer, about: RegExp): Promise<number> {
  const mails = (await (await fetch(`${rig.stack.urls.mail}/api/email`)).json()) as Mail[]
  return mails.filter(
    ({ subject, to }) => about.test(subject) && to.some(({ address }) => address === email),
  ).length
}

async function loseSmtp(rig: Rig): Promise<void> {
  const { customers } = await rig.buyers()
  for (const customer of customers) {
    await waitFor('the mail that verifies an address', () => mailsTo(rig, customer, /code/), backMs)
  }
  await rig.stack.stopProcess('maildev')
  const stoppedAt = Date.now()
  const bought = await rig.buy({ methods: { sim_declined: 0.3 } })
  const due = bought.flatMap(({ purchaseId }) => purchaseId ?? []).length
  await sleep(Math.max(0, stoppedAt + (rig.short ? 4_000 : 60_000) - Date.now()))
  await rig.stack.startProcess('maildev')
  rig.healed()
  rig.say(`SMTP was unavailable for ${Math.round((Date.now() - stoppedAt) / 1_000)} s`)
  const count = async () => {
    const each = await Promise.all(
      customers.map((customer) => mailsTo(rig, customer, /^Your purchase/)),
    )
    return each.reduce((all, mails) => all + mails, 0)
  }
  await waitFor('every mail', async () => (await count()) >= due, backMs).catch(() => undefined)
  const mails = await count()
  rig.require(mails === due, `${mails} mails for ${due} purchases`)
}

async function upload(rig: Rig, { token }: Customer, product: Product): Promise<number> {
  const form = new FormData()
  form.append('product_id', product.id)
  form.append('alt', 'A cup')
  form.append('data', new Blob([new Uint8Array(await imageFile('png'))]), 'cup.png')
  const response = await fetch(`${rig.stack.urls.api}/api/v1/media/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
    signal: AbortSignal.timeout(30_000),
  })
  await response.arrayBuffer()
  return response.status
}

async function loseObjects(rig: Rig): Promise<void> {
  const { customers, products } = await rig.buyers()
  const [seller] = customers
  const [product] = products
  if (!seller || !product) return
  const mediaOf = async () =>
    (
      await request<{ items: unknown[] }>(
        rig.stack.urls.api,
        'GET',
        `/media?product_id=${product.id}`,
      )
    ).body.items.length
  rig.require((await upload(rig, seller, product)) === 201, 'an upload was refused')
  await rig.stack.stopProcess('minio')
  const refused = await upload(rig, seller, product)
  rig.require(refused === 503, `an upload without the object store was answered ${refused}`)
  rig.require((await mediaOf()) === 1, 'a failed upload left rows')
  await rig.buy()
  const { status } = await request(rig.stack.urls.api, 'GET', `/products/${product.id}`)
  rig.require(status === 200, `a product was answered ${status}`)
  await rig.stack.startProcess('minio')
  rig.healed()
  await waitFor('uploads to work', async () => (await upload(rig, seller, product)) === 201, backMs)
}

export const outsideDrills: Drill[] = [
  {
    id: 'F22',
    about: 'SMTP unavailable for a minute',
    purchases: 100,
    short: 8,
    run: loseSmtp,
  },
  {
    id: 'F23',
    about: 'the object store unavailable',
    purchases: 100,
    short: 6,
    run: loseObjects,
  },
]

import { setTimeout as sleep } from 'node:timers/promises'
import { inParallel } from '../../../bench/in-parallel.ts'
import { buyUntilAnswered } from '../../../scripts/stack/buy-until-answered.ts'
import type { Customer } from '../../../scripts/stack/shop-client.ts'
import type { Product } from '../../../shared/contracts/product.ts'
import { defaultMethods, patienceMs, plenty } from '../buyers.ts'
import { partsOf, requestRefund, untilRefundsEnded } from '../refunds.ts'
import type { Rig } from '../rig.ts'
import { untilEnded, withDatabase } from '../shop-database.ts'

const perSecond = 1
const productCount = 20
/** One of so many purchases is cancelled, and one of so many refunded. */
const cancelEvery = 25
const refundEvery = 10
/** So many purchases of those to be refunded wait, so that the oldest of them has ended. */
const refundAfter = 3
/** On a machine that other work keeps busy, the drill waits for the shop. */
const maxOpen = 100
const endedWithinMs = 600_000
const reportEveryMs = 5 * 60_000
const open = new Set(['ACCEPTED', 'PROCESSING', 'CANCELLING'])

/** Products that do not run out. */
export async function addPlenty(rig: Rig): Promise<Product[]> {
  const { addProduct } = await rig.buyers()
  return inParallel(Array.from({ length: productCount }), 4, () => addProduct(plenty))
}

type Sold = { id: string; customer: Customer }

/**
 * Buys these products for so many minutes, a purchase a second, by all methods. Some are cancelled, and
 * some refunded, whole or in part. Everything has ended when it resolves.
 */
export async function buySteadily(
  rig: Rig,
  { minutes, products }: { minutes: number; products: Product[] },
  signal?: AbortSignal,
): Promise<void> {
  const { customers, nextBody } = await rig.buyers()
  const toRefund: Sold[] = []
  const inFlight = new Set<Promise<void>>()
  const counts = { bought: 0, refunds: 0 }
  let refunded = 0

  async function buyOne(index: number): Promise<void> {
    const customer = customers[index % customers.length] as Customer
    const body = nextBody(defaultMethods, products)
    const [bought] = rig.note([await buyUntilAnswered(customer, body, { patienceMs })])
    const id = bought?.purchaseId
    if (!id) return
    counts.bought += 1
    // Whether it comes in time makes no difference here.
    if (index % cancelEvery === 0) await customer.cancel(id).catch(() => undefined)
    else if (index % refundEvery === 1 && body.method === 'sim_ok') toRefund.push({ id, customer })
  }

  async function refundNext(): Promise<void> {
    const [oldest] = toRefund
    const status = oldest && (await statusOf(oldest))
    if (!oldest || !status || open.has(status)) return
    toRefund.shift()
    // On a busy machine one may be refused before its payment began.
    if (status !== 'COMPLETED') return
    const [part, rest] = partsOf(Math.floor(refunded / 3))
    const some = [[part], [rest], [part, rest]][refunded % 3] ?? []
    refunded += 1
    for (const body of some) {
      if (body && (await requestRefund(rig, { id: oldest.id, body }))) counts.refunds += 1
    }
  }

  const startedAt = Date.now()
  const passedMs = () => Date.now() - startedAt
  const wait = (ms: number) => sleep(Math.max(0, ms), undefined, { ...(signal && { signal }) })
  let reportAt = reportEveryMs
  for (let index = 0; passedMs() < minutes * 60_000; index++) {
    const nextAt = Date.now() + 1_000 / perSecond
    const buying = buyOne(index)
      .catch((error: Error) => rig.require(false, `a buyer stopped: ${error.message}`))
      .finally(() => inFlight.delete(buying))
    inFlight.add(buying)
    if (toRefund.length > refundAfter) await refundNext()
    await wait(nextAt - Date.now())
    if (index % refundEvery === 0) while ((await countOpen(rig)) > maxOpen) await wait(1_000)
    if (passedMs() < reportAt) continue
    const passed = Math.round(reportAt / 60_000)
    reportAt += reportEveryMs
    rig.say(`${passed} of ${minutes} min: ${counts.bought} purchases, ${counts.refunds} refunds`)
  }
  await Promise.all(inFlight)
  await untilEnded(rig.stack, endedWithinMs)
  while (toRefund.length > 0) await refundNext()
  await untilRefundsEnded(rig)
  rig.say(`${counts.bought} purchases and ${counts.refunds} refunds in ${minutes} min`)
}

/** Undefined if it cannot be read just now. */
async function statusOf({ id, customer }: Sold): Promise<string | undefined> {
  const purchase = await customer.getPurchase(id).catch(() => undefined)
  return purchase?.status
}

function countOpen({ stack }: Rig): Promise<number> {
  return withDatabase(stack, 'purchase', async (db) => {
    const { rows } = await db.query(
      "SELECT count(*)::int AS count FROM purchases WHERE status IN ('ACCEPTED', 'PROCESSING')",
    )
    return rows[0].count
  })
}

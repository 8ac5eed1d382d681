import { inParallel } from '../../bench/in-parallel.ts'
import { request } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { Rig } from './rig.ts'
import { withDatabase } from './shop-database.ts'

type RefundRow = { id: string; paymentId: string; status: string }

/** Each is refunded twice. */
const maxPurchases = 50
const clients = 4
const askAgainMs = 250
const answeredWithinMs = 120_000
const endedWithinSeconds = 300

/**
 * Refunds what was bought: of every completed purchase a part and then the rest, with and without putting the stock back. The
 * products of a drill have one seller. Each request is repeated under its key until it is answered.
 */
export async function requestRefunds(rig: Rig): Promise<void> {
  const seller = (await rig.buyers()).customers[0]
  const completed = (await rig.rows()).filter(({ status }) => status === 'COMPLETED')
  const some = completed.slice(0, maxPurchases)
  const requests = some.flatMap(({ id }, index) => [
    { id, body: { amount: 1, restock: index % 2 === 0, reason: 'A part of it' } },
    { id, body: { restock: index % 3 === 0, reason: 'The rest of it' } },
  ])
  await inParallel(requests, clients, async ({ id, body }) => {
    const key = newId()
    const end = Date.now() + answeredWithinMs
    for (;;) {
      const answer = await request(rig.stack.urls.api, 'POST', `/payments/${id}/refunds`, {
        ...(seller && { token: seller.token }),
        headers: { 'idempotency-key': key },
        body,
      }).catch(() => undefined)
      const status = answer?.status ?? 0
      const again = status === 0 || status >= 500
      // A purchase that costs 1 has nothing left for the second.
      if (!again) {
        rig.require([202, 409].includes(status), `a refund was answered ${status}`, [id])
        return
      }
      if (Date.now() > end) {
        rig.require(false, 'a refund never got an answer', [id])
        return
      }
      await rig.pause(askAgainMs / 1_000)
    }
  })
  rig.say(`${requests.length} refunds of ${some.length} purchases were asked for`)
}

/** Waits until every refund has ended, and requires that each is COMPLETED. */
export async function untilRefundsEnded(rig: Rig): Promise<void> {
  await withDatabase(rig.stack, 'payment', async (db) => {
    const rows = async () =>
      (
        await db.query<RefundRow>(
          `SELECT id, payment_id AS "paymentId", status FROM refunds WHERE payment_id = ANY($1::uuid[])`,
          [(await rig.rows()).map(({ id }) => id)],
        )
      ).rows
    const isOpen = ({ status }: RefundRow) => status === 'REQUESTED' || status === 'PROCESSING'
    const end = Date.now() + endedWithinSeconds * 1_000
    let all = await rows()
    while (all.some(isOpen) && Date.now() < end) {
      await rig.pause(0.5)
      all = await rows()
    }
    const others = all.filter(({ status }) => status !== 'COMPLETED')
    const what = others.map(({ id, status }) => `${id} ${status}`).join(' ')
    rig.require(
      others.length === 0,
      `refunds that are not COMPLETED: ${what}`,
      others.map(({ paymentId }) => paymentId),
    )
    rig.require(all.length > 0, 'nothing was refunded')
    rig.say(`${all.length} refunds ended`)
  })
}

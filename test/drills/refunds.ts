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

type RequestedRefund = { amount?: number; restock: boolean; reason: string }

/** Refunds a part of a purchase and then the rest, some with and some without putting the stock back. */
export const partsOf = (index: number): RequestedRefund[] => [
  { amount: 1, restock: index % 2 === 0, reason: 'A part of it' },
  { restock: index % 3 === 0, reason: 'The rest of it' },
]

/** Requests a refund under one key until it is answered; true if it was accepted. */
export async function requestRefund(
  rig: Rig,
  { id, body }: { id: string; body: RequestedRefund },
): Promise<boolean> {
  // The products of a drill have one seller.
  const seller = (await rig.buyers()).customers[0]
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
      return status === 202
    }
    if (Date.now() > end) {
      rig.require(false, 'a refund never got an answer', [id])
      return false
    }
    await rig.pause(askAgainMs / 1_000)
  }
}

/** Refunds what was bought: of every completed purchase a part and then the rest. */
export async function requestRefunds(rig: Rig): Promise<void> {
  const completed = (await rig.rows()).filter(({ status }) => status === 'COMPLETED')
  const some = completed.slice(0, maxPurchases)
  const requests = some.flatMap(({ id }, index) => partsOf(index).map((body) => ({ id, body })))
  await inParallel(requests, clients, (each) => requestRefund(rig, each))
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

import { setTimeout as sleep } from 'node:timers/promises'
import { buyUntilAnswered } from '../../scripts/stack/buy-until-answered.ts'
import { type Customer, registerCustomer } from '../../scripts/stack/shop-client.ts'

const buyers = 4
const pauseMs = 250
const patienceMs = 120_000

/** How purchases went: those that were asked for more than once, and those that did not complete. */
export type Sales = { purchases: number; repeated: number; failed: string[] }

/** New customers, each with a token that lasts for a step. */
export function openBuyers(api: string): Promise<Customer[]> {
  return Promise.all(Array.from({ length: buyers }, () => registerCustomer(api)))
}

/** Customers buy one purchase after another until something is done. Each repeats a request under its one key. */
export async function sellUntil(
  done: Promise<unknown>,
  customers: Customer[],
  productId: string,
): Promise<Sales> {
  const sales: Sales = { purchases: 0, repeated: 0, failed: [] }
  let open = true
  void done.catch(() => {}).then(() => (open = false))
  const body = { order_items: [{ product_id: productId, quantity: 1 }] }

  await Promise.all(
    customers.map(async (customer) => {
      while (open) {
        const { status, tries, purchaseId } = await buyUntilAnswered(customer, body, { patienceMs })
        sales.purchases += 1
        if (tries > 1) sales.repeated += 1
        if (purchaseId === undefined) sales.failed.push(`POST /purchases was answered ${status}`)
        else {
          const end = await endOf(customer, purchaseId)
          if (end !== 'COMPLETED') sales.failed.push(`${purchaseId} is ${end}`)
        }
        await sleep(pauseMs)
      }
    }),
  )
  return sales
}

/** The last status of a purchase, whose reader asks on while the shop does not answer. */
async function endOf(customer: Customer, id: string): Promise<string> {
  const end = await customer.waitForEnd(id, patienceMs).catch((error: Error) => error.message)
  return typeof end === 'string' ? end : end.status
}

import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import type { Rig } from '../rig.ts'
import { withDatabase } from '../shop-database.ts'
import { type AlertFault, bodyOf, halt, keepBuying, untilOver } from './fault.ts'

/** Shorter than payment waits for the provider. */
const slowMs = 1_500

/** Deletes the order of a purchase whose saga is under way, as an older backup of order would. */
async function loseOrder(rig: Rig, over: AbortSignal): Promise<void> {
  const [, customer] = (await rig.buyers()).customers
  await rig.setProvider({ faults: [{ call: 'slow', on: ['create'], ms: slowMs }] })
  const bought = await customer?.buy(await bodyOf(rig))
  const id = bought?.body.purchase_id
  await withDatabase(rig.stack, 'order', async (client) => {
    await waitFor('the order', async () => {
      const found = await client.query('SELECT 1 FROM orders WHERE id = $1', [id])
      return found.rowCount === 1
    })
    await client.query('DELETE FROM order_lines WHERE order_id = $1', [id])
    await client.query('DELETE FROM orders WHERE id = $1', [id])
  })
  await untilOver(over)
}

/** Charges a card at the provider without the shop, and gives the money back afterwards. */
async function chargeOutside(rig: Rig, over: AbortSignal): Promise<void> {
  const { urls, secrets } = rig.stack
  async function ask(path: string, form: Record<string, string>): Promise<{ id: string }> {
    const response = await fetch(`${urls.provider}/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secrets.provider.key}` },
      body: new URLSearchParams(form),
    })
    if (!response.ok) throw new Error(`the provider answers ${await response.text()}`)
    return (await response.json()) as { id: string }
  }
  const card = { payment_method: 'pm_card_visa' }
  const { id } = await ask('payment_intents', { amount: '1000', currency: 'vnd', ...card })
  await ask(`payment_intents/${id}/confirm`, card)
  await untilOver(over)
  await ask('refunds', { payment_intent: id })
}

/** Payment does not answer, so sagas are undone, and the undo of the payment is not answered either. */
async function stopPayment(rig: Rig, over: AbortSignal): Promise<void> {
  await rig.configure({ orchestrator: { STEP_ATTEMPTS: '2' } })
  const bought = new AbortController()
  // Enough, and not more than end soon after payment is back.
  const buying = keepBuying(rig, AbortSignal.any([bought.signal, over]), { pauseMs: 1_000 })
  const halted = halt(rig, 'payment', over)
  await sleep(5_000)
  bought.abort()
  await Promise.all([buying, halted])
}

export const sagaFaults: AlertFault[] = [
  {
    what: 'the order of a purchase is lost while its saga runs',
    alerts: ['OutcomeContradicted'],
    run: loseOrder,
  },
  {
    what: 'a card is charged at the provider without the shop',
    alerts: ['PaymentMadeOutside'],
    run: chargeOutside,
  },
  {
    what: 'payment is stopped under sagas that then have to be undone',
    alerts: ['PurchaseStuck', 'UndosRepeat', 'SagasNeedAttention'],
    afterwards: ['EndSlowFast', 'EndSlowSlow'],
    run: stopPayment,
  },
  {
    what: 'the provider answers every call with an error',
    alerts: ['ProviderFails'],
    async run(rig, over) {
      await rig.setProvider({ faults: [{ call: 'error_before' }] })
      await keepBuying(rig, over, { customers: 4 })
    },
  },
]

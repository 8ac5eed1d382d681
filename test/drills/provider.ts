import type { Settings } from '../../provider/faults.ts'
import { signatureOf } from '../../provider/webhooks.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { Drill } from './drill.ts'
import { buyDuring } from './kills.ts'
import { untilAllEnded } from './messages.ts'
import type { Rig } from './rig.ts'
import { withDatabase } from './shop-database.ts'

type Faults = NonNullable<Settings['faults']>

/** How often buyers come again while chance has left out a fault. */
const maxRounds = 5

/** Buys while the provider does wrong, until it did so in every way; `met`: and until that was seen too. */
async function buyUnder(
  rig: Rig,
  faults: Faults,
  kinds: string[],
  met = async () => true,
): Promise<void> {
  await rig.buyers()
  const made: Record<string, number> = {}
  const missing = () => kinds.filter((kind) => !made[kind])
  for (let round = 1; round <= maxRounds; round++) {
    await rig.setProvider({ faults })
    await rig.buy({ methods: { sim_declined: 0.2 } })
    await untilAllEnded(rig)
    for (const [kind, count] of Object.entries(await rig.setProvider({ faults: [] }))) {
      made[kind] = (made[kind] ?? 0) + count
    }
    rig.say(`the provider: ${JSON.stringify(made)}`)
    if (missing().length === 0 && (await met())) return
  }
  rig.require(missing().length === 0, `never made: ${missing().join(', ')}`)
}

/** Kills it where it can be killed: calls under way, answers not sent, events not delivered. */
async function killProvider(rig: Rig): Promise<void> {
  await buyDuring(rig, async () => {
    await rig.setProvider({ faults: [{ call: 'slow', probability: 0.3, ms: 400 }] })
    for (let left = rig.short ? 2 : 10; left > 0; left--) {
      await rig.kill('provider')
      // Its faults are in its memory.
      await rig.setProvider({ faults: [{ call: 'slow', probability: 0.3, ms: 400 }] })
      if (left > 1) await rig.pause(rig.random.between(10, 30) / 10)
    }
  })
  await rig.setProvider({ faults: [] })
  await untilAllEnded(rig)
}

async function forge(rig: Rig): Promise<void> {
  const { urls, secrets } = rig.stack
  const now = Math.floor(Date.now() / 1_000)
  const object = { id: 'pi_forged', object: 'payment_intent', amount_received: 1, currency: 'vnd' }
  const event = (id: string) =>
    JSON.stringify({
      id,
      object: 'event',
      type: 'payment_intent.succeeded',
      created: now,
      data: { object },
    })
  const attempts: [what: string, signature: string | undefined, body: string][] = [
    ['forged', signatureOf(event('evt_forged'), 'whsec_guessed', now), event('evt_forged')],
    ['changed', signatureOf(event('evt_1'), secrets.provider.webhookSecret, now), event('evt_2')],
    [
      'old',
      signatureOf(event('evt_old'), secrets.provider.webhookSecret, now - 3_600),
      event('evt_old'),
    ],
    ['unsigned', undefined, event('evt_unsigned')],
  ]
  for (const [what, signature, body] of attempts) {
    const { status } = await fetch(`${urls.api}/api/v1/payments/webhooks`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(signature && { 'stripe-signature': signature }),
      },
      body,
    })
    rig.require(status === 400, `an event that is ${what} was answered ${status}`)
  }
}

/** Events that come twice, never, late and in another order; and some that the provider never sent. */
async function disturbEvents(rig: Rig): Promise<void> {
  const faults: Faults = [
    { event: 'drop', probability: 0.3 },
    { event: 'delay', probability: 0.3, ms: 1_000 },
    { event: 'duplicate', probability: 0.5 },
    // Some of the answers are lost too, so that an event is all there is.
    { call: 'error_after', on: ['confirm'], probability: 0.2 },
    // Most others come after their event, which then says first what became of the payment.
    { call: 'slow', on: ['confirm'], probability: 0.8, ms: 400 },
  ]
  await withDatabase(rig.stack, 'payment', async (db) => {
    const settled = async () =>
      (await db.query(`SELECT 1 FROM provider_events WHERE outcome = 'SETTLED'`)).rows.length
    const settledBefore = await settled()
    const kinds = ['drop', 'delay', 'duplicate', 'slow']
    const settledNow = async () => (await settled()) > settledBefore
    await buyUnder(rig, faults, kinds, settledNow)
    rig.require(await settledNow(), 'no payment was settled by an event')
    await forge(rig)
    const outside = async () =>
      (
        await db.query<{ id: string }>(
          `SELECT id FROM provider_events WHERE outcome = 'OUTSIDE' OR reference = 'pi_forged'`,
        )
      ).rows
    const twice = await db.query('SELECT id FROM provider_events GROUP BY id HAVING count(*) > 1')
    rig.require(twice.rows.length === 0, `${twice.rows.length} events were stored twice`)
    const strangers = await outside()
    rig.require(
      strangers.length === 0,
      `events of nobody: ${strangers.map(({ id }) => id).join(' ')}`,
    )
    // None of these can still be asked for: every payment knows what became of it.
    await waitFor(
      'no payment to be PENDING',
      async () =>
        (await db.query(`SELECT 1 FROM payments WHERE status = 'PENDING'`)).rows.length === 0,
      120_000,
    ).catch(() => rig.require(false, 'payments are PENDING'))
  })
}

export const providerDrills: Drill[] = [
  {
    id: 'F26',
    about: 'repeated kill -9 of the payment provider, which is slow besides',
    purchases: 500,
    short: 12,
    run: killProvider,
  },
  {
    id: 'F27',
    about: 'the payment provider answers 500 before and after the effect, 409 and 429',
    purchases: 300,
    short: 16,
    run: (rig) =>
      buyUnder(
        rig,
        [
          { call: 'error_after', on: ['confirm', 'cancel', 'refund'], probability: 0.2 },
          { call: 'rate_limit', probability: 0.15 },
          { call: 'conflict', on: ['create', 'confirm'], probability: 0.15 },
          { call: 'error_before', probability: 0.1 },
        ],
        ['error_after', 'rate_limit', 'conflict'],
      ),
  },
  {
    id: 'F28',
    about: 'events of the payment provider doubled, lost, reordered, early, forged and old',
    purchases: 300,
    short: 24,
    run: disturbEvents,
  },
]

import { buyUntilAnswered } from '../../scripts/stack/buy-until-answered.ts'
import type { ServiceName } from '../../scripts/stack/services.ts'
import { commandTopics, doNames, participants } from '../../shared/contracts/steps.ts'
import type { Fault } from '../../shared/messaging/fault-injection.ts'
import { patienceMs } from './buyers.ts'
import type { Drill } from './drill.ts'
import { scheduleToCloseMs } from './profile.ts'
import { requestRefunds, untilRefundsEnded } from './refunds.ts'
import type { Rig } from './rig.ts'

/** A sender of messages of a saga. */
const senders = [...participants, 'purchase', 'orchestrator'] as const

function forAll(names: readonly ServiceName[], faults: Fault[]) {
  return Object.fromEntries(names.map((name) => [name, faults]))
}

/** Restarts the services with the faults, buys, and waits until every purchase, and refund, has ended. */
async function buyUnder(
  rig: Rig,
  faults: Partial<Record<ServiceName, Fault[]>>,
  { attempts = rig.profile.stepAttempts, methods = { sim_declined: 0.2 }, refunds = false } = {},
): Promise<void> {
  await rig.inject(faults, { extra: { orchestrator: { STEP_ATTEMPTS: `${attempts}` } } })
  await rig.buy({ methods })
  await untilAllEnded(rig)
  if (refunds) {
    await requestRefunds(rig)
    await untilRefundsEnded(rig)
  }
  rig.require((await rig.faults()).length > 0, 'no fault was injected')
}

/**
 * Waits until every purchase so far has ended. The total time depends on the machine, because only some are under way
 * at once; but at least one purchase must end every `stallSeconds`.
 */
export async function untilAllEnded(rig: Rig, stallSeconds = 120): Promise<void> {
  let fewest = Number.POSITIVE_INFINITY
  let movedAt = Date.now()
  for (;;) {
    const open = (await rig.rows()).filter(({ status }) =>
      ['ACCEPTED', 'PROCESSING'].includes(status),
    )
    if (open.length === 0) return
    if (open.length < fewest) {
      fewest = open.length
      movedAt = Date.now()
    } else if (Date.now() - movedAt > stallSeconds * 1_000) {
      const ids = open.map(({ id }) => id)
      rig.require(false, `${open.length} purchases are open, none ended in ${stallSeconds} s`, ids)
      return
    }
    await rig.pause(0.5)
  }
}

export const messageDrills: Drill[] = [
  {
    id: 'F8',
    about: 'every message twice: a tenth of them, then all; also of refunds',
    purchases: 500,
    short: 12,
    async run(rig) {
      for (const probability of rig.short ? [1] : [0.1, 1]) {
        await buyUnder(rig, forAll(senders, [{ message: 'duplicate', probability, ms: 100 }]), {
          refunds: true,
        })
      }
    },
  },
  {
    id: 'F9',
    about: 'a tenth of the replies is lost, also to refunds',
    purchases: 500,
    short: 15,
    async run(rig) {
      const drop: Fault = { message: 'drop', topics: ['replies'], probability: 0.1 }
      await buyUnder(rig, forAll(participants, [drop]), { refunds: true })
    },
  },
  {
    id: 'F10',
    about: 'replies later than an attempt waits, and later than all attempts',
    purchases: 500,
    short: 12,
    async run(rig) {
      const attempts = rig.short ? 2 : rig.profile.stepAttempts
      const profile = { ...rig.profile, stepAttempts: attempts }
      const topics: Fault['topics'] = ['replies']
      const late = { message: 'delay', topics, ms: profile.stepTimeoutMs + 500 } as const
      const tooLate = { message: 'delay', topics, ms: scheduleToCloseMs(profile) + 500 } as const
      await buyUnder(
        rig,
        forAll(participants, [
          { ...tooLate, probability: 0.15 },
          { ...late, probability: 0.15 },
        ]),
        { attempts },
      )
    },
  },
  {
    id: 'F11',
    about: 'an undo that overtakes its do',
    purchases: 500,
    short: 9,
    async run(rig) {
      const ms = 10 * scheduleToCloseMs(rig.profile)
      const faults: Fault[] = doNames.map((name) => ({
        message: 'reorder',
        names: [name],
        topics: [...commandTopics],
        // Every attempt of a step is held separately; otherwise few steps would be overtaken.
        probability: 0.9,
        ms,
      }))
      const attempts = rig.short ? 2 : rig.profile.stepAttempts
      await buyUnder(rig, { orchestrator: faults }, { attempts })
    },
  },
  {
    id: 'F12',
    about: 'a refund that fails twenty times, then works',
    purchases: 20,
    short: 4,
    async run(rig) {
      // The answer to the capture is lost, so every one of them has to be refunded.
      const quick = { STEP_TIMEOUT_MS: '500', STEP_ATTEMPTS: '2', UNDO_PAUSE_MS: '200' }
      await rig.inject(
        { payment: [{ message: 'drop', topics: ['replies'], names: ['takePayment'] }] },
        {
          extra: {
            payment: { PROVIDER_TIMEOUT_MS: '200' },
            ...(rig.short && { orchestrator: quick }),
          },
        },
      )
      await rig.setProvider({ refund_failures: rig.short ? 8 : 20 })
      await rig.buy({ methods: { sim_refund_fails: 1 } })
      await untilAllEnded(rig, 900)
      const rows = await rig.rows()
      const others = rows.filter(({ status }) => status !== 'REJECTED').map(({ id }) => id)
      rig.require(others.length === 0, 'not undone', others)
    },
  },
  {
    id: 'F17',
    about: 'poison among commands and replies',
    purchases: 100,
    short: 12,
    async run(rig) {
      const poison = (topics: Fault['topics']): Fault => ({
        message: 'poison',
        topics,
        probability: 0.1,
      })
      await buyUnder(rig, {
        ...forAll(participants, [poison(['replies'])]),
        orchestrator: [poison([...commandTopics])],
      })
      // Until then, what is sent late is poisoned as well.
      await rig.heal()
      rig.say(`${await rig.countPoison()} dead letters are due`)
      const { customers, products } = await rig.buyers()
      const plenty = products.at(-1)
      const customer = customers[0]
      if (!plenty || !customer) return
      for (let purchase = 0; purchase < 5; purchase++) {
        const order_items = [{ product_id: plenty.id, quantity: 1 }]
        const bought = await buyUntilAnswered(customer, { order_items }, { patienceMs })
        rig.note([bought])
        if (bought.purchaseId === undefined) return
        const { status } = await customer.waitForEnd(bought.purchaseId)
        rig.require(status === 'COMPLETED', `after the poison: ${status}`, [bought.purchaseId])
      }
    },
  },
]

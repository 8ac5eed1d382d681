import type Stripe from 'stripe'
import { connectStripe } from '../services/payment/stripe-provider.ts'
import { commandId, newId, purchaseWorkflowId } from '../shared/contracts/ids.ts'
import { type CommandName, commandSteps, isDo } from '../shared/contracts/steps.ts'
import { connectRawProducer } from '../shared/kafka/raw-messages.ts'
import type { Publish } from '../shared/messaging/bus.ts'
import { sendCommand, sendEvent } from '../shared/messaging/messages.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { requestOf } from '../workflows/requests.ts'
import type { ProviderAddress } from './provider-ledger.ts'
import type { Action, Item } from './repair-plan.ts'
import type { RepairRecords } from './repair-records.ts'

/** A do that is not handled by then is refused, so that none has an effect long after the repair. */
const validMs = 30_000
const answerDeadlineMs = 20_000
const providerTimeoutMs = 10_000
/** Its reply finds no activity: the orchestrator drops it. */
const activityId = 'repair'

/** What became of one item of a plan; `failed`: why it was not carried out, or not all of it. */
export type Outcome = { purchaseId: string; failed?: string }

export type Repairs = Awaited<ReturnType<typeof connectRepairs>>

/** Carries out what a plan says, by the commands, events and calls of the provider that the shop itself uses. */
export async function connectRepairs(
  { kafkaBrokers, provider }: { kafkaBrokers: string[]; provider: ProviderAddress },
  records: RepairRecords,
) {
  await using starting = new AsyncDisposableStack()
  const producer = starting.adopt(await connectRawProducer(kafkaBrokers), (it) => it.close())
  const stripe = starting.adopt(
    connectStripe({ ...provider, timeoutMs: providerTimeoutMs, connections: 1 }),
    (it) => it.close(),
  )
  const open = starting.move()
  const publish: Publish = async (topic, message) => {
    await producer.send(topic, message)
  }

  async function bodyOf(
    id: string,
    { name, reference }: { name: CommandName; reference?: string },
  ) {
    if (!isDo(name)) return {}
    const request = requestOf[name](await records.acceptedOf(id))
    return reference === undefined ? request : { ...request, provider_reference: reference }
  }

  /** Sends a command as its saga did, and waits for the answer. */
  async function send(id: string, action: Extract<Action, { act: 'command' }>): Promise<void> {
    const { name } = action
    const command_id = commandId(id, commandSteps[name].step)
    const headers = {
      command_id,
      purchase_id: id,
      workflow_id: purchaseWorkflowId(id),
      run_id: newId(),
      activity_id: activityId,
      ...(isDo(name) && { deadline: Date.now() + validMs }),
    }
    await sendCommand(publish, name, headers, (await bodyOf(id, action)) as never)
    const answer = await waitFor(
      `the answer to ${command_id}`,
      async () => (await records.answersTo([command_id])).get(command_id)?.outcome,
      answerDeadlineMs,
    )
    if (answer !== 'done') throw new Error(`${commandSteps[name].step} was answered ${answer}`)
  }

  async function carryOut(id: string, action: Action): Promise<void> {
    switch (action.act) {
      case 'command':
        return send(id, action)
      case 'refund':
        return refundRest(stripe.stripe, action.reference)
      case 'ask':
        return sendEvent(publish, 'settlementOverdue', { purchase_id: id })
    }
  }

  return {
    /** Takes the actions in their order. An undo follows also on a step that got no answer: it undoes what there is. */
    async run({ purchaseId, actions }: Item): Promise<Outcome> {
      for (const [index, action] of actions.entries()) {
        try {
          await carryOut(purchaseId, action)
        } catch (error) {
          const next = actions[index + 1]
          const undone = next?.act === 'command' && !isDo(next.name)
          if (!undone) return { purchaseId, failed: (error as Error).message }
        }
      }
      return { purchaseId }
    },
    close: () => open.disposeAsync(),
  }
}

/** Gives back all that is left of a capture, once. */
export async function refundRest(
  stripe: Pick<Stripe, 'refunds'>,
  reference: string,
): Promise<void> {
  try {
    await stripe.refunds.create(
      { payment_intent: reference },
      { idempotencyKey: `repair/${reference}` },
    )
  } catch (error) {
    if ((error as { code?: string }).code !== 'charge_already_refunded') throw error
  }
}

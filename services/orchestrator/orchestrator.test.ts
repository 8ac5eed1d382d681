import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../scripts/wait-for.ts'
import {
  type AnyReply,
  type CommandName,
  commands,
  type RejectionReason,
} from '../../shared/contracts/commands.ts'
import type { PurchaseAccepted, PurchaseEnded } from '../../shared/contracts/events.ts'
import { newId, purchaseWorkflowId } from '../../shared/ids.ts'
import type { KafkaClient } from '../../shared/kafka.ts'
import type { Running } from '../../shared/lifecycle.ts'
import { createLogger } from '../../shared/logger.ts'
import { parseHeaders, sendEvent, sendReply } from '../../shared/messages.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import { quietTemporal } from '../../test/helpers/temporal.ts'
import { createTestNamespace, type TestNamespace } from '../../test/helpers/temporal-namespace.ts'
import { createTestTopics, type StoredMessage } from '../../test/helpers/topics.ts'
import { start } from './main.ts'

const maxUnfinishedSagas = 3
const replyWaitMs = 2_000
const done = { outcome: 'done' } as const
const forward = ['reserveStock', 'createOrder', 'takePayment']

/** What a participant does with a command; `silent`: it does not answer. */
type Participant = (command: CommandName, purchaseId: string) => Promise<AnyReply | 'silent'>

const agreeable: Participant = async (command) =>
  command === 'takePayment' ? { ...done, provider_reference: 'reference' } : done

function refusing(refused: CommandName, reason: RejectionReason): Participant {
  return async (command, purchaseId) =>
    command === refused ? { outcome: 'rejected', reason } : agreeable(command, purchaseId)
}

describe('orchestrator', () => {
  const open = new AsyncDisposableStack()
  const asked: { name: CommandName; purchaseId: string }[] = []
  const participants = new Map<string, Participant>()
  let temporal: TestNamespace
  let kafka: KafkaClient
  let orchestrator: Running
  let results: StoredMessage[]
  let deadLetters: StoredMessage[]

  before(async function () {
    this.timeout(60_000)
    quietTemporal()
    temporal = open.adopt(await createTestNamespace(), (it) => it.close())
    const topics = open.adopt(await createTestTopics(), (it) => it.close())
    results = await topics.read('purchase-results')
    deadLetters = await topics.read('dead-letters')
    kafka = open.adopt(await topics.connect('participants'), (it) => it.close())
    await kafka.consume({
      group: 'participants',
      topics: ['product-commands', 'order-commands', 'payment-commands'],
      async handle(message) {
        const headers = parseHeaders(message)
        const { command: name, purchase_id: purchaseId } = headers
        asked.push({ name, purchaseId })
        const answer = await (participants.get(purchaseId) ?? agreeable)(name, purchaseId)
        if (answer !== 'silent') await sendReply(kafka.publish, headers, answer)
      },
    })
    const config = {
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      GRPC_PORT: 0,
      GRPC_ADDRESS: '127.0.0.1:1',
      OPERATOR_TOKENS: {},
      SAGA_OVERDUE_MS: 300_000,
      LOG_LEVEL: 'silent',
      MAX_IN_FLIGHT: 256,
      APP_ENV: 'local',
      MAX_UNFINISHED_SAGAS: maxUnfinishedSagas,
      STEP_TIMEOUT_MS: 3_000,
      STEP_ATTEMPTS: 5,
      UNDO_PAUSE_MS: 30_000,
      MAX_CACHED_WORKFLOWS: 500,
      REPLY_WAIT_MS: replyWaitMs,
      ...temporal.config,
      ...topics.config,
    } as const
    orchestrator = await start(config, createLogger('orchestrator', 'silent'))
    open.adopt(orchestrator, (it) => it.close())
  })

  after(() => open.disposeAsync())

  const accept = (purchase: PurchaseAccepted) =>
    sendEvent(kafka.publish, 'purchaseAccepted', purchase)

  function asksFor(purchaseId: string): CommandName[] {
    return asked.filter((ask) => ask.purchaseId === purchaseId).map(({ name }) => name)
  }

  /** A step that is slow here is asked for again; that is no other step. */
  function stepsOf(purchaseId: string): CommandName[] {
    return [...new Set(asksFor(purchaseId))]
  }

  function endsOf(purchaseId: string): PurchaseEnded[] {
    return results
      .filter(({ key, headers }) => key === purchaseId && headers.event === 'purchaseEnded')
      .map(({ value }) => JSON.parse(value))
  }

  function endOf(purchaseId: string): Promise<PurchaseEnded> {
    return waitFor('the end of the purchase', () => endsOf(purchaseId)[0])
  }

  function workflowOf(purchaseId: string) {
    return temporal.client.workflow.getHandle(purchaseWorkflowId(purchaseId)).describe()
  }

  /** The activities that the server knows, in order; a step whose reply came in time leaves a marker only. */
  async function activitiesOf(purchaseId: string): Promise<string[]> {
    const handle = temporal.client.workflow.getHandle(purchaseWorkflowId(purchaseId))
    const { events } = await handle.fetchHistory()
    return (events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityId ?? [],
    )
  }

  /** The sum of a metric's values, of those with `label` only. */
  async function metric(name: string, label = ''): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${orchestrator.port}/metrics`)
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith(`${name}{`))
    const wanted = lines.filter((line) => line.includes(label))
    return wanted.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  const handledEvents = () => metric('kafka_messages_total', 'topic="purchases"')

  /** The end is announced a moment before the workflow has ended. */
  async function over(purchaseId: string): Promise<PurchaseEnded> {
    const ended = await endOf(purchaseId)
    await waitFor('the workflow to end', async () => {
      return (await workflowOf(purchaseId)).status.name === 'COMPLETED'
    })
    return ended
  }

  async function buy(participant: Participant = agreeable) {
    const purchase = buildPurchase()
    participants.set(purchase.purchase_id, participant)
    await accept(purchase)
    return { purchase, id: purchase.purchase_id, ended: await over(purchase.purchase_id) }
  }

  it('asks each participant in turn and announces the end', async () => {
    const { purchase, id, ended } = await buy()
    assert.deepEqual(stepsOf(id), forward)
    assert.deepEqual(ended, {
      purchase_id: id,
      customer_id: purchase.customer_id,
      status: 'COMPLETED',
      reason: null,
      failed_step: null,
    })
    const { type, typedSearchAttributes } = await workflowOf(id)
    assert.equal(type, 'purchase')
    assert.match(JSON.stringify(typedSearchAttributes), new RegExp(purchase.customer_id))
  })

  it('undoes everything, in reverse, when a participant says no', async () => {
    const { id, ended } = await buy(refusing('takePayment', 'payment_declined'))
    assert.deepEqual(stepsOf(id), [...forward, 'refundPayment', 'cancelOrder', 'releaseStock'])
    assert.deepEqual(
      [ended.status, ended.reason, ended.failed_step],
      ['REJECTED', 'payment_declined', 'take-payment'],
    )
  })

  it('asks once for what is answered in time, and leaves no activity to Temporal', async () => {
    // A machine that is busy may be late once.
    const timely = await waitFor('a purchase whose replies come in time', async () => {
      const { id } = await buy()
      return asksFor(id).length === forward.length ? id : undefined
    })
    assert.deepEqual(await activitiesOf(timely), [])
  })

  it('announces what Temporal has stored already', async () => {
    const { name } = await waitFor('a purchase whose replies come in time', async () => {
      const purchase = buildPurchase()
      await accept(purchase)
      await endOf(purchase.purchase_id)
      const { status } = await workflowOf(purchase.purchase_id)
      return (await activitiesOf(purchase.purchase_id)).length === 0 ? status : undefined
    })
    assert.equal(name, 'COMPLETED')
  })

  it('asks again when a reply was lost, by an activity that any replica completes', async () => {
    let lost = false
    const { id, ended } = await buy(async (command, ...rest) => {
      if (command !== 'createOrder' || lost) return agreeable(command, ...rest)
      lost = true
      return 'silent'
    })
    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(stepsOf(id), forward)
    assert.ok(asksFor(id).filter((name) => name === 'createOrder').length > 1)
    assert.ok((await activitiesOf(id)).includes('create-order'))
  })

  it('takes a reply that comes after the wait, however often it was asked', async () => {
    const asks: number[] = []
    const { id, ended } = await buy(async (command, ...rest) => {
      if (command !== 'createOrder') return agreeable(command, ...rest)
      asks.push(Date.now())
      if (asks.length === 1) await sleep(replyWaitMs + 500)
      return agreeable(command, ...rest)
    })
    assert.equal(ended.status, 'COMPLETED')
    assert.deepEqual(stepsOf(id), forward)
    assert.ok((await activitiesOf(id)).includes('create-order'))
  })

  it('starts one saga of an event that comes again, before and after the end', async () => {
    const purchase = buildPurchase()
    const id = purchase.purchase_id
    const gate = Promise.withResolvers<void>()
    participants.set(id, async (...args) => {
      await gate.promise
      return agreeable(...args)
    })
    const before = await handledEvents()
    await accept(purchase)
    await accept(purchase)
    await waitFor('both events', async () => (await handledEvents()) === before + 2)
    const { runId } = await workflowOf(id)
    gate.resolve()
    await over(id)
    await accept(purchase)
    await sendEvent(kafka.publish, 'settlementOverdue', { purchase_id: id })
    await waitFor('the repeated announcement, behind the events', () => endsOf(id).length === 2)

    assert.equal((await workflowOf(id)).runId, runId)
    assert.deepEqual(stepsOf(id), forward)
    await waitFor('the gate to be empty', async () => (await metric('unfinished_sagas')) === 0)
  })

  it('announces the same end again when a participant did not hear it', async () => {
    const { id, ended } = await buy(refusing('reserveStock', 'out_of_stock'))
    await sendEvent(kafka.publish, 'settlementOverdue', { purchase_id: id })
    await waitFor('another announcement', () => endsOf(id).length === 2)
    assert.deepEqual(endsOf(id), [ended, ended])
  })

  it('announces nothing of a purchase that is unknown or has not ended', async () => {
    const purchase = buildPurchase()
    const id = purchase.purchase_id
    const gate = Promise.withResolvers<void>()
    participants.set(id, async (...args) => {
      await gate.promise
      return agreeable(...args)
    })
    const unknown = newId()
    const before = await handledEvents()
    await sendEvent(kafka.publish, 'settlementOverdue', { purchase_id: unknown })
    await accept(purchase)
    await sendEvent(kafka.publish, 'settlementOverdue', { purchase_id: id })
    await waitFor('the events', async () => (await handledEvents()) === before + 3)
    gate.resolve()
    await endOf(id)
    assert.equal(endsOf(id).length, 1)
    assert.deepEqual(endsOf(unknown), [])
  })

  it('counts and drops a reply that nobody waits for any more', async () => {
    const before = await metric('late_replies_total')
    const { id, ended } = await buy()
    const { runId } = await workflowOf(id)
    const { step } = commands.reserveStock
    const headers = {
      command: 'reserveStock' as const,
      command_id: `${id}/${step}`,
      purchase_id: id,
      workflow_id: purchaseWorkflowId(id),
      run_id: runId,
      activity_id: step,
    }
    await sendReply(kafka.publish, headers, { outcome: 'rejected', reason: 'out_of_stock' })
    await waitFor('the count', async () => (await metric('late_replies_total')) > before)
    assert.deepEqual(endsOf(id), [ended])
    assert.deepEqual(stepsOf(id), forward)
  })

  describe('an accepted purchase that cannot be read', () => {
    const garbage = (id: string) => ({
      key: id,
      headers: { event: 'purchaseAccepted', purchase_id: id },
      value: '{"amount":"much"}',
    })
    const letterOf = (id: string) =>
      waitFor('the dead letter', () => deadLetters.find(({ key }) => key === id))

    it('is refused, for good, and dead-lettered', async () => {
      const purchase = buildPurchase()
      const id = purchase.purchase_id
      await kafka.publish('purchases', garbage(id))
      const refused = {
        purchase_id: id,
        customer_id: null,
        status: 'REJECTED',
        reason: 'invalid',
        failed_step: null,
      }
      assert.deepEqual(await over(id), refused)
      assert.equal((await letterOf(id)).headers.dead_letter_group, 'orchestrator-purchases')

      await accept(purchase)
      await sendEvent(kafka.publish, 'settlementOverdue', { purchase_id: id })
      await waitFor('the announcement behind it', () => endsOf(id).length === 2)
      assert.deepEqual(endsOf(id), [refused, refused])
      assert.deepEqual(asksFor(id), [])
      assert.equal((await workflowOf(id)).type, 'refusePurchase')
    })

    it('changes nothing when its saga exists', async () => {
      const { id, ended } = await buy()
      await kafka.publish('purchases', garbage(id))
      await letterOf(id)
      assert.deepEqual(endsOf(id), [ended])
      assert.equal((await workflowOf(id)).type, 'purchase')
    })

    it('is dead-lettered when nobody can tell which one it was', async () => {
      const key = newId()
      await kafka.publish('purchases', { ...garbage('x'), key })
      await letterOf(key)
      assert.deepEqual(endsOf('x'), [])
    })
  })

  it('starts no more sagas at once than it may; the rest waits in Kafka', async () => {
    const gate = Promise.withResolvers<void>()
    const purchases = Array.from({ length: maxUnfinishedSagas + 4 }, buildPurchase)
    const ids = purchases.map((purchase) => purchase.purchase_id)
    const started = () => ids.filter((id) => asksFor(id).length > 0)
    let most = 0
    for (const id of ids) {
      participants.set(id, async (...args) => {
        most = Math.max(most, started().filter((other) => endsOf(other).length === 0).length)
        await gate.promise
        return agreeable(...args)
      })
    }
    await Promise.all(purchases.map(accept))
    await waitFor('as many as may', () => started().length === maxUnfinishedSagas)
    await waitFor('the others to wait', async () => {
      return (await metric('kafka_messages_in_flight')) === ids.length - maxUnfinishedSagas
    })
    assert.equal(started().length, maxUnfinishedSagas)
    assert.equal(await metric('unfinished_sagas'), maxUnfinishedSagas)
    gate.resolve()

    const ends = await Promise.all(ids.map(endOf))
    assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['COMPLETED']))
  })

  it('is ready when it has its places', async () => {
    const response = await fetch(`http://127.0.0.1:${orchestrator.port}/health/ready`)
    assert.deepEqual(await response.json(), {
      status: 'ready',
      checks: { temporal: true, worker: true, replies: true, purchases: true },
    })
  })
})

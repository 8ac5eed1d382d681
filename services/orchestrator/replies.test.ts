import assert from 'node:assert/strict'
import { ActivityNotFoundError, type Client } from '@temporalio/client'
import { Counter, Registry } from 'prom-client'
import { newId } from '../../shared/contracts/ids.ts'
import { isOutage } from '../../shared/database/failures.ts'
import type { ConsumeOptions, Message } from '../../shared/messaging/bus.ts'
import { PoisonError } from '../../shared/messaging/poison.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { consumeReplies } from './replies.ts'
import { createReplyWaiters } from './worker/reply-waiters.ts'

const purchaseId = newId()
const headers = {
  command: 'reserveStock',
  command_id: `${purchaseId}/reserve-stock`,
  purchase_id: purchaseId,
  workflow_id: `purchase-${purchaseId}`,
  run_id: '0190a1b2-0000-7000-8000-000000000001',
  activity_id: 'reserve-stock',
}

function received(message: Partial<Message> = {}): Message {
  return {
    topic: 'replies',
    partition: 0,
    offset: '0',
    key: purchaseId,
    headers,
    value: '{"outcome":"rejected","reason":"out_of_stock"}',
    timestamp: 0,
    ...message,
  }
}

/** The replies consumer between the test as Kafka and the test as Temporal. */
async function setUp(
  complete: (...args: unknown[]) => Promise<void>,
  isCancelPending: (purchaseId: string) => boolean = () => false,
) {
  const waiters = createReplyWaiters()
  let options: ConsumeOptions | undefined
  const lateReplies = new Counter({
    name: 'late_replies_total',
    help: 'late',
    labelNames: ['command'],
    registers: [new Registry()],
  })
  await consumeReplies({
    kafka: {
      async consume(given) {
        options = given
        return { joined: () => true, reads: () => true, close: async () => undefined }
      },
    },
    client: { activity: { complete } } as unknown as Client,
    waiters,
    isCancelPending,
    lateReplies,
    logger: createLogger('test', 'silent'),
  })
  assert.ok(options)
  return { waiters, handle: options.handle, late: async () => (await lateReplies.get()).values }
}

/** The reply with the time at which the participant sent it. */
const answered = {
  outcome: 'rejected',
  reason: 'out_of_stock',
  answered_at: '1970-01-01T00:00:00.000Z',
}

describe('consumeReplies', () => {
  it('tells the step that waits here when a cancel of its purchase is pending', async () => {
    const { waiters, handle } = await setUp(
      async () => assert.fail('a step waits'),
      (id) => id === purchaseId,
    )
    const reply = waiters.wait(headers.command_id, 5_000)
    await handle(received())

    assert.deepEqual(await reply, { ...answered, cancel_pending: true })
  })

  it('completes the activity that the headers lead to', async () => {
    const completed: unknown[][] = []
    const { handle, late } = await setUp(async (...args) => void completed.push(args))
    await handle(received())

    const activity = {
      workflowId: headers.workflow_id,
      runId: headers.run_id,
      activityId: 'reserve-stock',
    }
    assert.deepEqual(completed, [[activity, answered]])
    assert.deepEqual(await late(), [])
  })

  it('hands a reply to the step that waits for it here, once', async () => {
    const completed: unknown[] = []
    const { waiters, handle, late } = await setUp(async (activity) => void completed.push(activity))
    const waited = waiters.wait(headers.command_id, 10_000)
    await handle(received())

    assert.deepEqual(await waited, answered)
    assert.deepEqual(completed, [])
    await handle(received())
    assert.equal(completed.length, 1)
    assert.deepEqual(await late(), [])
  })

  it('completes the activity once the wait here is over', async () => {
    const completed: unknown[] = []
    const { waiters, handle } = await setUp(async (activity) => void completed.push(activity))

    assert.equal(await waiters.wait(headers.command_id, 1), undefined)
    await handle(received())
    assert.equal(completed.length, 1)
  })

  it('counts and drops a reply that no step waits for', async () => {
    const gone = new ActivityNotFoundError('no such activity')
    const { handle, late } = await setUp(() => Promise.reject(gone))
    await handle(received())
    assert.deepEqual(await late(), [{ labels: { command: 'reserveStock' }, value: 1 }])
  })

  it('is not done with a reply that Temporal did not take, and never calls it poison', async () => {
    const fault = Object.assign(new Error('unavailable'), { code: 14, details: 'no connection' })
    const { handle, late } = await setUp(() => Promise.reject(fault))
    await assert.rejects(handle(received()), fault)
    assert.ok(isOutage(fault))
    assert.deepEqual(await late(), [])
  })

  it('calls a reply that cannot be read poison', async () => {
    const { handle } = await setUp(async () => assert.fail('completed'))
    await assert.rejects(handle(received({ value: '{"outcome":"maybe"}' })), PoisonError)
    await assert.rejects(handle(received({ headers: {} })), PoisonError)
  })
})

import assert from 'node:assert/strict'
import { ApplicationFailure, CompleteAsyncError, type Info } from '@temporalio/activity'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import type { AnyReply } from '../shared/contracts/commands.ts'
import { newId, purchaseWorkflowId, traceparent } from '../shared/contracts/ids.ts'
import type { Outgoing } from '../shared/messaging/bus.ts'
import { AppError } from '../shared/runtime/errors.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'
import { agreed } from '../test/helpers/replies.ts'
import { requestOf } from '../workflows/requests.ts'
import { createActivities } from './index.ts'

const scheduledTimestampMs = 1_700_000_000_000
const startToCloseTimeoutMs = 10_000
const scheduleToCloseTimeoutMs = 31_500
const stock = requestOf.reserveStock(buildPurchase())

type Sent = { topic: string; message: Outgoing; deadlineMs: number | undefined }
type Waiting = { commandId: string; timeoutMs: number }

/** The activities in a real activity context, beside what they sent and what they wait for. */
function setUp({
  info = {},
  reply,
  comeHere = true,
  publishFails = false,
}: {
  info?: Partial<Info>
  reply?: AnyReply
  comeHere?: boolean
  publishFails?: boolean
} = {}) {
  const purchaseId = newId()
  const execution = { workflowId: purchaseWorkflowId(purchaseId), runId: newId() }
  const sent: Sent[] = []
  const waiting: Waiting[] = []
  const order: string[] = []
  const counted: string[] = []
  const environment = new MockActivityEnvironment(
    {
      activityId: 'reserve-stock',
      workflowExecution: execution,
      scheduledTimestampMs,
      startToCloseTimeoutMs,
      scheduleToCloseTimeoutMs,
      ...info,
    },
    { logger: new DefaultLogger('ERROR') },
  )
  const activities = createActivities({
    async publish(topic, message, deadlineMs) {
      order.push('publish')
      if (publishFails) throw new AppError('unavailable', 'Kafka does not take the message')
      sent.push({ topic, message, deadlineMs })
    },
    replies: {
      comeHere: () => comeHere,
      async wait(commandId, timeoutMs) {
        order.push('wait')
        waiting.push({ commandId, timeoutMs })
        return reply
      },
    },
    onSend: (name, as) => counted.push(`${name} ${as}`),
  })
  return { environment, activities, purchaseId, execution, sent, waiting, order, counted }
}

const local = { isLocal: true, activityId: '7' }

/** What a failed activity tells the workflow. */
async function failureOf(running: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await running.then(
    () => assert.fail('it did not fail'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof ApplicationFailure, String(error))
  return error
}

describe('ask', () => {
  it('sends the command to its participant, keyed by the purchase, with all that leads the reply back', async () => {
    const { environment, activities, purchaseId, execution, sent } = setUp()

    await assert.rejects(environment.run(activities.reserveStock, purchaseId, stock))

    assert.deepEqual(sent, [
      {
        topic: 'product-commands',
        deadlineMs: startToCloseTimeoutMs,
        message: {
          key: purchaseId,
          value: JSON.stringify(stock),
          headers: {
            command: 'reserveStock',
            command_id: `${purchaseId}/reserve-stock`,
            purchase_id: purchaseId,
            workflow_id: execution.workflowId,
            run_id: execution.runId,
            activity_id: 'reserve-stock',
            traceparent: traceparent(purchaseId),
            deadline: String(scheduledTimestampMs + scheduleToCloseTimeoutMs),
          },
        },
      },
    ])
  })

  it('sends the same command id on every attempt', async () => {
    const ids: (string | undefined)[] = []
    const purchaseId = newId()
    for (const info of [{ attempt: 1 }, { attempt: 2 }, local]) {
      const { environment, activities, sent } = setUp({ info, reply: agreed.reserveStock })
      await environment.run(activities.reserveStock, purchaseId, stock).catch(() => undefined)
      ids.push(sent[0]?.message.headers?.command_id)
    }

    assert.deepEqual(ids, Array(3).fill(`${purchaseId}/reserve-stock`))
  })

  it('counts a command as the first, as the fallback, or as sent again', async () => {
    const all: string[] = []
    for (const info of [local, { attempt: 1 }, { attempt: 2 }]) {
      const { environment, activities, counted } = setUp({ info, reply: agreed.reserveStock })
      const running = environment.run(activities.reserveStock, newId(), stock)
      await running.catch(() => undefined)
      all.push(...counted)
    }
    for (const attempt of [1, 2]) {
      const { environment, activities, counted } = setUp({ info: { attempt } })
      await assert.rejects(environment.run(activities.releaseStock, newId()))
      all.push(...counted)
    }

    assert.deepEqual(all, [
      ...['reserveStock first', 'reserveStock fallback', 'reserveStock again'],
      ...['releaseStock first', 'releaseStock again'],
    ])
  })

  it('gives an undo no deadline, even when its activity has one', async () => {
    const { environment, activities, purchaseId, sent } = setUp({
      info: { activityId: 'release-stock-2' },
    })

    await assert.rejects(environment.run(activities.releaseStock, purchaseId))

    const { headers = {}, value } = sent[0]?.message ?? {}
    assert.equal(headers.deadline, undefined)
    assert.equal(headers.activity_id, 'release-stock-2')
    assert.equal(headers.command_id, `${purchaseId}/release-stock`)
    assert.equal(value, '{}')
  })

  it('fails as unavailable when Kafka does not take the command', async () => {
    for (const info of [{}, local]) {
      const { environment, activities, purchaseId } = setUp({ info, publishFails: true })

      await assert.rejects(
        environment.run(activities.reserveStock, purchaseId, stock),
        (error) => error instanceof AppError && error.kind === 'unavailable',
      )
    }
  })

  describe('as an activity that any replica completes', () => {
    it('is left open once the command is sent, and waits for nothing here', async () => {
      const { environment, activities, purchaseId, sent, waiting } = setUp()

      await assert.rejects(
        environment.run(activities.reserveStock, purchaseId, stock),
        CompleteAsyncError,
      )
      assert.equal(sent.length, 1)
      assert.deepEqual(waiting, [])
    })
  })

  describe('as a local activity', () => {
    it('resolves with the reply', async () => {
      for (const reply of [
        agreed.reserveStock,
        { outcome: 'rejected', reason: 'out_of_stock' } as const,
      ]) {
        const { environment, activities, purchaseId } = setUp({ info: local, reply })

        assert.deepEqual(await environment.run(activities.reserveStock, purchaseId, stock), reply)
      }
    })

    it('waits from before the command is sent, so that no reply is too early', async () => {
      const { environment, activities, purchaseId, waiting, order } = setUp({
        info: local,
        reply: agreed.reserveStock,
      })

      await environment.run(activities.reserveStock, purchaseId, stock)

      assert.deepEqual(order, ['wait', 'publish'])
      assert.deepEqual(waiting, [
        { commandId: `${purchaseId}/reserve-stock`, timeoutMs: startToCloseTimeoutMs },
      ])
    })

    it('names the activity of the fallback, which takes a late reply', async () => {
      const { environment, activities, purchaseId, sent } = setUp({
        info: local,
        reply: agreed.reserveStock,
      })

      await environment.run(activities.reserveStock, purchaseId, stock)

      assert.equal(sent[0]?.message.headers?.activity_id, 'reserve-stock')
    })

    it('fails once and for all when no reply came in time', async () => {
      const { environment, activities, purchaseId, sent } = setUp({ info: local })

      const failure = await failureOf(environment.run(activities.reserveStock, purchaseId, stock))

      assert.deepEqual(
        [failure.type, failure.message, failure.nonRetryable],
        ['NoReplyHere', `no reply in ${startToCloseTimeoutMs} ms`, true],
      )
      assert.equal(sent.length, 1)
    })

    it('sends nothing when replies of the purchase go to another process', async () => {
      const { environment, activities, purchaseId, sent, waiting } = setUp({
        info: local,
        comeHere: false,
      })

      const failure = await failureOf(environment.run(activities.reserveStock, purchaseId, stock))

      assert.deepEqual([failure.type, failure.nonRetryable], ['NoReplyHere', true])
      assert.deepEqual([sent, waiting], [[], []])
    })
  })
})

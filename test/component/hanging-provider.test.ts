import assert from 'node:assert/strict'
import { pino } from 'pino'
import type { TakePayment } from '../../shared/contracts/commands.ts'
import { commandId, newId, purchaseWorkflowId } from '../../shared/contracts/ids.ts'
import type { Running } from '../../shared/runtime/lifecycle.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts'
import { startTestProvider } from '../helpers/provider.ts'
import { createTestTopics, type StoredMessage } from '../helpers/topics.ts'
import { pairs } from './pairs.ts'

const concurrency = 64
/** Of a call. A busy machine has it in which to answer the stranger before the calls of another round end. */
const timeoutMs = 5_000

describe('a payment provider that does not answer', () => {
  const open = new AsyncDisposableStack()
  const unanswered: string[] = []
  let database: TestDatabase
  let service: Running
  let captured: () => Promise<{ data: { status: string }[] }>
  let send: (body: TakePayment) => Promise<string>
  let replies: StoredMessage[]

  before(async () => {
    database = open.adopt(await createTestDatabase('payment'), (it) => it.close())
    const topics = open.adopt(await createTestTopics(), (it) => it.close())
    replies = await topics.read('replies')
    const produce = await topics.connectProducer()
    send = async (body) => {
      const purchaseId = newId()
      const headers = {
        command: 'takePayment',
        command_id: commandId(purchaseId, 'take-payment'),
        purchase_id: purchaseId,
        workflow_id: purchaseWorkflowId(purchaseId),
        run_id: newId(),
        activity_id: 'take-payment',
      }
      await produce('payment-commands', { key: purchaseId, headers, value: JSON.stringify(body) })
      return purchaseId
    }
    const connections = {
      ...topics.config,
      CONSUMER_CONCURRENCY: concurrency,
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: 10,
      PROVIDER_TIMEOUT_MS: timeoutMs,
    }
    const write = (line: string) => {
      const { msg, err } = JSON.parse(line)
      if (msg === 'provider call without answer' && /no answer in/.test(err.stack))
        unanswered.push(line)
    }
    const provider = open.adopt(await startTestProvider(), (it) => it.close())
    captured = () => provider.stripe.paymentIntents.list({ limit: 100 })
    service = await pairs.takePayment.start(
      connections,
      pino({ level: 'warn' }, { write }),
      provider,
    )
  })

  after(async () => {
    await service?.close()
    await open.disposeAsync()
  })

  const buildPayment = (customer_id: string, method: string): TakePayment => {
    return { customer_id, amount: 250, currency_code: 'VND', method }
  }

  it('does not delay other customers while a hundred payments of one customer hang', async () => {
    const greedy = newId()
    await Promise.all(Array.from({ length: 100 }, () => send(buildPayment(greedy, 'sim_timeout'))))
    await waitFor('calls that hang', async () => {
      const { data } = await captured()
      return data.filter(({ status }) => status === 'succeeded').length >= concurrency / 4
    })
    const purchaseId = await send(buildPayment(newId(), 'sim_ok'))

    const reply = await waitFor('the reply to the stranger', () =>
      replies.find(({ headers }) => headers.purchase_id === purchaseId),
    )
    assert.equal(JSON.parse(reply.value).outcome, 'done')
    // Not one round of calls more than those that hung when the stranger came.
    assert.ok(unanswered.length <= concurrency / 4, `${unanswered.length} calls ended before`)
  })
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { newId } from '../../../shared/contracts/ids.ts'
import type { Saga, SagaSummary } from '../../../shared/contracts/operator.ts'
import type { Problem } from '../../../shared/contracts/problem.ts'
import { commandSteps, doNames, undoOf } from '../../../shared/contracts/steps.ts'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { operators } from '../../../test/helpers/operators.ts'
import {
  agree,
  holdAt,
  type Participant,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../test/helpers/orchestrator.ts'
import { buildPurchase } from '../../../test/helpers/purchases.ts'

type List = { items: SagaSummary[]; next_cursor: string | null }

describe('operators', function () {
  this.timeout(240_000)

  let shop: TestOrchestrator
  /** Purchases whose payment is declined and whose refund is not answered. */
  let stuck: string[]

  const withoutRefund: Participant = async (command, attempt) => {
    if (command === 'refundPayment') return 'silent'
    if (command === 'takePayment') return { outcome: 'rejected', reason: 'payment_declined' }
    return agree(command, attempt)
  }

  before(async () => {
    shop = await startOrchestrator({ stepTimeoutMs: 2_000 })
    stuck = await Promise.all(Array.from({ length: 4 }, () => shop.buy(withoutRefund)))
    await waitFor('stuck undos', () => stuck.every((id) => shop.flagsOf(id).length > 0), 90_000)
  })
  after(() => shop.close())

  /** As the saga itself says: a worker that is busy may leave a question without an answer. */
  const sagaOf = (id: string) =>
    waitFor('the saga to answer', async () => {
      const { body } = await shop.operate<Saga>('GET', `/sagas/${id}`)
      return body.undos.length > 0 && body
    })
  const undosOf = ({ undos }: Saga) =>
    Object.fromEntries(undos.map(({ step, state }) => [step, state]))

  it('are let in by a token of theirs, and by no other', async () => {
    for (const token of ['', 'short', randomBytes(32).toString('base64url'), operators.name]) {
      const { status } = await shop.operate('GET', '/sagas', undefined, token)
      assert.equal(status, 401)
    }
  })

  it('find sagas by status, step, reason and age, page by page', async () => {
    const query = 'status=NEEDS_ATTENTION&step=take-payment&reason=payment_declined&state=RUNNING'
    const found = new Set<string>()
    let cursor = ''
    await waitFor('the index', async () => {
      const { body } = await shop.operate<List>('GET', `/sagas?${query}`)
      return body.items.length === stuck.length
    })
    do {
      const page = await shop.operate<List>('GET', `/sagas?${query}&limit=3${cursor}`)
      assert.equal(page.status, 200)
      for (const { purchase_id } of page.body.items) found.add(purchase_id)
      cursor = page.body.next_cursor ? `&cursor=${page.body.next_cursor}` : ''
    } while (cursor)
    const old = await shop.operate<List>('GET', '/sagas?older_than_seconds=86400')

    assert.deepEqual(found, new Set(stuck))
    assert.deepEqual(old.body.items, [])
  })

  it('find what has completed and what was refused under its end, apart from each other', async () => {
    const completed = await shop.buy()
    const refused = buildPurchase().purchase_id
    const headers = { event: 'purchaseAccepted', purchase_id: refused }
    await shop.kafka.publish('purchases', { key: refused, headers, value: '{}' })
    const ends = { [completed]: 'COMPLETED', [refused]: 'REJECTED' }

    for (const [id, status] of Object.entries(ends)) {
      const found = await waitFor(`${status} in the index`, async () => {
        const query = `status=${status}&state=COMPLETED`
        const { body } = await shop.operate<List>('GET', `/sagas?${query}`)
        return body.items.find(({ purchase_id }) => purchase_id === id)
      })
      assert.equal(found.status, status)
    }
    const undos = undosOf(await sagaOf(completed))
    assert.deepEqual(new Set(Object.values(undos)), new Set(['not_needed']))
  })

  it('see what a saga waits for', async () => {
    const [id = ''] = stuck
    // It announces that it is stuck before it begins the next round.
    const saga = await waitFor('the next round', async () => {
      const found = await sagaOf(id)
      return found.pending.some((one) => one.activity_id.startsWith('refund-payment')) && found
    })

    assert.equal(saga.state, 'RUNNING')
    assert.equal(saga.status, 'NEEDS_ATTENTION')
    assert.equal(saga.step, 'take-payment')
    assert.equal(saga.pending.length, 1)
    const undone = doNames.map((name) => [commandSteps[undoOf[name]].step, 'done'])
    assert.deepEqual(undosOf(saga), {
      ...Object.fromEntries(undone),
      'refund-payment': 'stuck',
    })
  })

  it('are told what is wrong with their request', async () => {
    const [id = ''] = stuck
    const bad: [string, unknown, number][] = [
      [`/sagas/${id}/resolve`, {}, 400],
      [`/sagas/${id}/resolve`, { note: ' ' }, 400],
      [`/sagas/${id}/resolve`, { note: 'x'.repeat(1_001) }, 400],
      [`/sagas/${id}/resolve`, { note: 'by hand', step: 'take-payment' }, 400],
      [`/sagas/${id}/resolve`, { note: 'by hand', step: 'cancel-order' }, 409],
      [`/sagas/${newId()}/resolve`, { note: 'by hand' }, 404],
      [`/sagas/${newId()}/retry`, {}, 404],
    ]
    for (const [path, body, expected] of bad) {
      const { status } = await shop.operate<Problem>('POST', path, body)
      assert.equal(status, expected, JSON.stringify(body))
    }
    const queries = ["status='x'", 'step=a b', 'older_than_seconds=-1', 'x=1']
    const cursors = ['AAAA', Buffer.from('not a token of a page').toString('base64url')]
    for (const query of [...queries, ...cursors.map((cursor) => `cursor=${cursor}`)]) {
      assert.equal((await shop.operate('GET', `/sagas?${query}`)).status, 400, query)
    }
  })

  it('have a stuck undo retried at once, and the purchase ends as it would have', async () => {
    const [, id = ''] = stuck
    // It is retried slowly, too: an answer before the request would end it.
    const { participant, release } = holdAt('refundPayment')
    shop.answer(id, participant)
    const { status, body } = await shop.operate<{ action_id: string }>(
      'POST',
      `/sagas/${id}/retry`,
      { step: 'refund-payment' },
    )
    release()
    const ended = await shop.endOf(id)

    assert.equal(status, 202)
    assert.equal(ended.status, 'REJECTED')
    assert.equal(ended.reason, 'payment_declined')
    const action = await shop.actionOf(id)
    assert.equal(action.action_id, body.action_id)
    assert.equal(action.operator, operators.name)
    assert.equal(action.action, 'retry')
  })

  it('abandon a stuck undo with a note, and the purchase ends RESOLVED', async () => {
    const [, , id = ''] = stuck
    const note = 'refunded by bank transfer, ticket 4711'
    const { status } = await shop.operate('POST', `/sagas/${id}/resolve`, { note })
    const ended = await shop.endOf(id)

    assert.equal(status, 202)
    assert.equal(ended.status, 'RESOLVED')
    assert.equal((await shop.actionOf(id)).note, note)
    assert.equal((await shop.operate('POST', `/sagas/${id}/retry`, {})).status, 409)
  })

  it('cancel a purchase that is not paid for', async () => {
    const { participant, release } = holdAt('createOrder')
    const id = await shop.buy(participant)
    await shop.asked(id, 'createOrder')
    const { status, body } = await shop.operate<{ status: string }>('POST', `/sagas/${id}/cancel`, {
      note: 'the customer called',
    })
    release()
    const ended = await shop.endOf(id)

    assert.equal(status, 202)
    assert.equal(body.status, 'CANCELLING')
    assert.equal(ended.status, 'CANCELLED')
    assert.equal((await shop.actionOf(id)).action, 'cancel')
  })

  it('do not delay other purchases by a stuck undo', async () => {
    assert.equal((await shop.endOf(await shop.buy())).status, 'COMPLETED')
  })
})

describe('customers who cancel', () => {
  let shop: TestOrchestrator
  before(async () => {
    shop = await startOrchestrator()
  })
  after(() => shop.close())

  it('are received before the saga has started, and the event that comes later starts nothing', async () => {
    const accepted = buildPurchase()
    const { purchase_id: id } = accepted

    const { verdict } = await shop.cancel(accepted)
    const ended = await shop.endOf(id)
    await shop.buy(agree, accepted)
    const again = await shop.cancel(accepted)

    assert.equal(verdict, 'CANCELLING')
    assert.equal(ended.status, 'CANCELLED')
    assert.deepEqual(again, { verdict })
    assert.deepEqual(shop.asksOf(id), doNames.map((name) => undoOf[name]).reverse())
  })

  it('are received once while it runs', async () => {
    const { participant, release } = holdAt('reserveStock')
    const accepted = buildPurchase()
    await shop.buy(participant, accepted)
    await shop.asked(accepted.purchase_id, 'reserveStock')

    const verdicts = await Promise.all([shop.cancel(accepted), shop.cancel(accepted)])
    release()
    const ended = await shop.endOf(accepted.purchase_id)

    assert.deepEqual(verdicts, [{ verdict: 'CANCELLING' }, { verdict: 'CANCELLING' }])
    assert.equal(ended.status, 'CANCELLED')
    const history = await shop.handleOf(accepted.purchase_id).fetchHistory()
    const updates = history.events?.filter(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes,
    )
    assert.equal(updates?.length, 1)
  })
})

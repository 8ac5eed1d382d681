import assert from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import { doNames, undoOf } from '../../../shared/contracts/steps.ts'
import { createLogger } from '../../../shared/runtime/logger.ts'
import {
  agree,
  holdAt,
  startOrchestrator,
  type TestOrchestrator,
} from '../../../test/helpers/orchestrator.ts'
import { buildPurchase } from '../../../test/helpers/purchases.ts'
import { createDelayedStarts } from './delayed-start.ts'
import type { PurchaseState } from './purchase-rows.ts'

const undos = doNames.map((name) => undoOf[name]).reverse()
/** As in a shop. */
const replyWaitMs = 5_000
/** No test holds a step for so long that its attempts run out. */
const stepTimeoutMs = 10_000

describe('a cancel request, while steps wait for their replies in the process', () => {
  let shop: TestOrchestrator

  before(async () => {
    shop = await startOrchestrator({ replyWaitMs, stepTimeoutMs })
  })

  after(() => shop.close())

  /** A purchase that was accepted a minute ago. */
  const delayed = () => ({
    ...buildPurchase(),
    purchase_id: uuidv7({ msecs: Date.now() - 60_000 }),
  })

  for (const held of ['reserveStock', 'createOrder'] as const) {
    it(`takes effect when the wait of ${held} is over: everything is undone, and nothing is paid`, async () => {
      const { participant, release } = holdAt(held)
      const accepted = buildPurchase()
      const id = await shop.buy(participant, accepted)
      await shop.asked(id, held)

      const { verdict } = await shop.cancel(accepted)
      release()
      const ended = await shop.endOf(id)

      assert.equal(verdict, 'CANCELLING')
      assert.deepEqual(
        [ended.status, ended.reason, ended.failed_step],
        ['CANCELLED', 'cancelled', null],
      )
      const forward = held === 'createOrder' ? ['reserveStock', held] : [held]
      assert.deepEqual(shop.asksOf(id), [...forward, ...undos])
    })
  }

  it('takes effect before the next step when a slow step is answered within its wait', async () => {
    const { participant, release } = holdAt('reserveStock')
    const accepted = buildPurchase()
    const id = await shop.buy(participant, accepted)
    await shop.asked(id, 'reserveStock')

    // No saga receives it in time for the customer, who gets CANCELLING all the same.
    const unanswered = await shop.cancelOnce(accepted).catch((error: unknown) => error)
    release()
    const ended = await shop.endOf(id)

    assert.ok(unanswered instanceof Error)
    assert.equal(ended.status, 'CANCELLED')
    assert.deepEqual(shop.asksOf(id), ['reserveStock', ...undos])
  })

  it('takes effect before the next step although every step is quick', async () => {
    // The step that is under way when the request comes.
    const { participant, release } = holdAt('createOrder')
    const accepted = buildPurchase()
    const id = await shop.buy(participant, accepted)
    await shop.asked(id, 'createOrder')

    const answer = shop.cancel(accepted)
    await shop.cancelIsSent(id)
    release()
    const { verdict } = await answer

    assert.equal(verdict, 'CANCELLING')
    assert.equal((await shop.endOf(id)).status, 'CANCELLED')
    assert.deepEqual(shop.asksOf(id), ['reserveStock', 'createOrder', ...undos])
  })

  it('lets a payment that is in flight decide', async () => {
    const { participant, release } = holdAt('takePayment')
    const accepted = buildPurchase()
    const id = await shop.buy(participant, accepted)
    await shop.asked(id, 'takePayment')

    const { verdict } = await shop.cancel(accepted)
    release()
    assert.equal(verdict, 'CANCELLING')
    assert.equal((await shop.endOf(id)).status, 'COMPLETED')
  })

  it('arrives in whichever replica the saga waits', async () => {
    const replica = await shop.startReplica()
    const released: (() => void)[] = []
    const bought = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { participant, release } = holdAt('reserveStock')
        released.push(release)
        const accepted = buildPurchase()
        await shop.asked(await shop.buy(participant, accepted), 'reserveStock')
        return accepted
      }),
    )
    // One request each, to the first replica, which may take it for the other.
    const verdicts = await Promise.all(bought.map(shop.cancel))
    for (const release of released) release()
    const ends = await Promise.all(bought.map(({ purchase_id }) => shop.endOf(purchase_id)))
    await replica.close()

    assert.deepEqual(new Set(verdicts.map(({ verdict }) => verdict)), new Set(['CANCELLING']))
    assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['CANCELLED']))
  })

  it('that is only on the row takes effect before the first step of a saga that starts late', async () => {
    const accepted = delayed()
    shop.requestCancel(accepted.purchase_id)
    const id = await shop.buy(agree, accepted)

    assert.equal((await shop.endOf(id)).status, 'CANCELLED')
    assert.deepEqual(shop.asksOf(id), undos)
  })

  it('is looked for on the row when the saga starts late, and not otherwise', async () => {
    const late = await shop.buy(agree, delayed())

    assert.equal((await shop.endOf(late)).status, 'COMPLETED')
    // Its event may come twice, as any may while a replica leaves the group.
    const lookups = shop.lookups.filter((ids) => ids.includes(late))
    assert.deepEqual(new Set(lookups.map(String)), new Set([late]))
  })
})

describe('purchases whose sagas start late', () => {
  const late = () => uuidv7({ msecs: Date.now() - 60_000 })

  it('are looked up together, each once', async () => {
    const [first, second, third] = [late(), late(), late()] as const
    const questions: string[][] = []
    const state: PurchaseState = {
      purchaseId: second,
      status: 'PROCESSING',
      cancelRequested: true,
      queued: false,
      ended: undefined,
      updatedAt: 0,
    }
    const { rowOf } = createDelayedStarts({
      rows: {
        async statesOf(ids) {
          questions.push(ids)
          return new Map([[second, state]])
        },
      },
      comingUp: () => [second, third],
      logger: createLogger('orchestrator', 'silent'),
    })

    const rows = [await rowOf(first), await rowOf(second), await rowOf(third)]

    assert.deepEqual(rows, [undefined, state, undefined])
    assert.deepEqual(questions, [[first, second, third]])
  })

  it('start in time when they were released just now by a process that ran already', async () => {
    const questions: string[][] = []
    const { rowOf } = createDelayedStarts({
      rows: {
        async statesOf(ids) {
          questions.push(ids)
          return new Map()
        },
      },
      comingUp: () => [],
      startedAt: Date.now() - 60_000,
      logger: createLogger('orchestrator', 'silent'),
    })
    const [now, before] = [late(), late()]

    await rowOf(now, Date.now())
    await rowOf(before, Date.now() - 2_100)

    assert.deepEqual(questions, [[before]])
  })
})

import assert from 'node:assert/strict'
import { v7 as uuidv7 } from 'uuid'
import { startGrpcServer } from '../../shared/grpc.ts'
import { createLogger } from '../../shared/logger.ts'
import {
  agree,
  holdAt,
  startOrchestrator,
  type TestOrchestrator,
} from '../../test/helpers/orchestrator.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import { createCancelWishes } from './cancel-wishes.ts'

const undos = ['refundPayment', 'cancelOrder', 'releaseStock']
/** Longer than a test may take: who waits for it fails. */
const replyWaitMs = 50_000
/** A workflow task with a waiting step ends after 8 s all the same, and an Update is heard then. */
const taskMs = 7_000

describe('a wish to cancel, while steps take the short way', function () {
  this.timeout(60_000)

  const open = new AsyncDisposableStack()
  const wished = new Set<string>()
  const looks: string[][] = []
  let shop: TestOrchestrator

  before(async () => {
    const purchases = await startGrpcServer({
      service: 'purchase',
      host: '127.0.0.1',
      port: 0,
      logger: createLogger('purchase', 'silent'),
      handlers: {
        async CancelWished({ purchase_ids }) {
          looks.push(purchase_ids)
          return { wished: purchase_ids.filter((id) => wished.has(id)) }
        },
      },
    })
    open.defer(() => purchases.close())
    const purchaseAddress = `127.0.0.1:${purchases.port}`
    shop = await startOrchestrator({ replyWaitMs, purchaseAddress })
    open.defer(() => shop.close())
  })

  after(() => open.disposeAsync())

  /** A purchase that was accepted a minute ago. */
  const waited = () => ({ ...buildPurchase(), purchase_id: uuidv7({ msecs: Date.now() - 60_000 }) })

  for (const held of ['reserveStock', 'createOrder'] as const) {
    it(`is heard while ${held} is slow: all is undone, and nothing is paid`, async () => {
      const { participant, release } = holdAt(held)
      const accepted = buildPurchase()
      const id = await shop.buy(participant, accepted)
      await shop.asked(id, held)

      const { verdict } = await shop.cancel(accepted)
      release()
      const ended = await shop.endOf(id)

      assert.equal(verdict, 'CANCELLING')
      assert.deepEqual([ended.status, ended.reason], ['CANCELLED', 'cancelled'])
      const forward = held === 'createOrder' ? ['reserveStock', held] : [held]
      assert.deepEqual(shop.asksOf(id), [...forward, ...undos])
    })
  }

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

  it('is heard in whichever replica the saga waits', async () => {
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
    // One wish each, to the first replica, which may hear it for the other.
    const startedAt = performance.now()
    const verdicts = await Promise.all(bought.map(shop.cancel))
    const tookMs = performance.now() - startedAt
    for (const release of released) release()
    const ends = await Promise.all(bought.map(({ purchase_id }) => shop.endOf(purchase_id)))
    await replica.close()

    assert.deepEqual(new Set(verdicts.map(({ verdict }) => verdict)), new Set(['CANCELLING']))
    assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['CANCELLED']))
    assert.ok(tookMs < taskMs, `heard after ${tookMs} ms`)
  })

  it('that was stored while the orchestrator was away is honoured before the first step', async () => {
    const accepted = waited()
    wished.add(accepted.purchase_id)
    const id = await shop.buy(agree, accepted)

    assert.equal((await shop.endOf(id)).status, 'CANCELLED')
    assert.deepEqual(shop.asksOf(id), undos)
  })

  it('is asked for when the purchase has waited, and starts it when there is none', async () => {
    const id = await shop.buy(agree, waited())

    assert.equal((await shop.endOf(id)).status, 'COMPLETED')
    assert.deepEqual(
      looks.filter((ids) => ids.includes(id)),
      [[id]],
    )
  })
})

describe('purchases that wait for their sagas', () => {
  const waited = () => uuidv7({ msecs: Date.now() - 60_000 })

  it('are asked for together, each once', async () => {
    const [first, second, third] = [waited(), waited(), waited()] as const
    const questions: string[][] = []
    const { wished } = createCancelWishes({
      waiters: { giveUp: () => undefined },
      comeHere: () => true,
      publish: async () => undefined,
      purchases: {
        async CancelWished({ purchase_ids }) {
          questions.push(purchase_ids)
          return { wished: [second] }
        },
      },
      comingUp: () => [second, third],
      logger: createLogger('orchestrator', 'silent'),
    })

    const answers = [await wished(first), await wished(second), await wished(third)]

    assert.deepEqual(answers, [false, true, false])
    assert.deepEqual(questions, [[first, second, third]])
  })
})

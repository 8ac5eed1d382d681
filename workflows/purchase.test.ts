import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { commandNames, commandSteps, doNames, undoOf } from '../shared/contracts/steps.ts'
import {
  type Activities,
  done,
  everyUndo,
  fast,
  fastImpatient,
  impatient,
  settings,
  silence,
  withPurchaseWorkers,
} from '../test/helpers/purchase-workflow.ts'
import { buildPurchase } from '../test/helpers/purchases.ts'
import { agreed } from '../test/helpers/replies.ts'
import type { refusePurchase } from './index.ts'

describe('purchase workflow', () => {
  const { world, withWorker, buy } = withPurchaseWorkers()

  it('takes every step in order, undoes nothing and announces COMPLETED', async () => {
    const accepted = buildPurchase()

    const { ended, calls, announced, completed } = await buy({}, accepted)

    assert.deepEqual(calls, [...doNames, 'announceEnd'])
    assert.deepEqual(completed, [{ id: accepted.purchase_id, isAnnounced: true }])
    assert.deepEqual(ended, {
      purchase_id: accepted.purchase_id,
      customer_id: accepted.customer_id,
      status: 'COMPLETED',
      reason: null,
      failed_step: null,
      steps: [],
    })
    assert.deepEqual(announced, [ended])
  })

  it('asks each participant for just what it needs', async () => {
    const accepted = buildPurchase()
    const asked: unknown[] = []

    await buy(
      {
        reserveStock: async (...args) => {
          asked.push(args)
          return done
        },
        takePayment: async (...args) => {
          asked.push(args)
          return { ...done, provider_reference: 'ref' }
        },
      },
      accepted,
    )

    const { purchase_id, customer_id, lines } = accepted
    const stock = lines.map(({ product_id, quantity }) => ({ product_id, quantity }))
    const payment = { customer_id, amount: 250, currency_code: 'VND', method: 'sim_ok' }
    assert.deepEqual(asked, [
      [purchase_id, { lines: stock }],
      [purchase_id, payment],
    ])
  })

  for (const [index, step] of doNames.entries()) {
    const taken = doNames.slice(0, index + 1)
    const undone = taken.map((name) => undoOf[name]).reverse()
    const { step: stepName } = commandSteps[step]

    it(`undoes in reverse order, itself included, when ${step} is rejected`, async () => {
      const rejected = { outcome: 'rejected', reason: 'out_of_stock' } as const

      const { ended, calls, announced } = await buy({ [step]: async () => rejected })

      assert.deepEqual(calls, [...taken, ...undone, 'announceEnd'])
      assert.equal(ended.status, 'REJECTED')
      assert.equal(ended.reason, 'out_of_stock')
      assert.equal(ended.failed_step, stepName)
      assert.deepEqual(announced, [ended])
    })

    it(`sends ${step} again when no reply comes, then undoes whatever a lost run may have done`, async () => {
      const { ended, calls } = await buy({ [step]: silence }, buildPurchase(), impatient)

      // All attempts have a limit in time as well, and on a busy machine the last one has no room.
      const attempts = calls.filter((name) => name === step).length
      assert.ok(attempts > 1 && attempts <= impatient.stepAttempts, `${attempts}`)
      const after = new Set(calls.slice(calls.lastIndexOf(step) + 1))
      assert.deepEqual([...after], [...everyUndo, 'announceEnd'])
      assert.equal(ended.status, 'REJECTED')
      assert.equal(ended.reason, 'timeout')
      assert.equal(ended.failed_step, stepName)
    })
  }

  describe('the steps of its outcome', () => {
    const at = (second: number) => `2026-09-01T10:00:0${second}.000Z`

    it('are all that were answered, in order, with the times at which participants answered', async () => {
      let second = 0
      const answer = (reply: object) => async () =>
        ({ ...reply, answered_at: at(second++) }) as never
      const overrides = Object.fromEntries(
        commandNames.map((name) => [name, answer(agreed[name])]),
      ) as Partial<Activities>
      const declined = answer({ outcome: 'rejected', reason: 'payment_declined' })

      const { ended } = await buy({ ...overrides, takePayment: declined }, buildPurchase(), fast)

      const told = (step: string, position: number, refusal: string | null = null) => ({
        step,
        outcome: refusal === null ? 'done' : 'rejected',
        reason: refusal,
        at: at(position),
      })
      assert.deepEqual(ended.steps, [
        ...doNames.map((name, index) =>
          told(commandSteps[name].step, index, name === 'takePayment' ? 'payment_declined' : null),
        ),
        ...everyUndo.map((name, index) => told(commandSteps[name].step, doNames.length + index)),
      ])
    })

    it('have the time at which the saga stopped waiting for one that nobody answered', async () => {
      const before = Date.now()
      const undone: string[] = []
      const refundPayment = async () => {
        undone.push(new Date().toISOString())
        return { ...done, answered_at: undone.at(-1) }
      }

      const { ended } = await buy(
        { takePayment: silence, refundPayment },
        buildPurchase(),
        fastImpatient,
      )

      const [timeout, refund] = ended.steps ?? []
      assert.deepEqual(
        [timeout?.step, timeout?.outcome, timeout?.reason],
        ['take-payment', 'timeout', 'timeout'],
      )
      assert.ok(Date.parse(timeout?.at ?? '') >= before)
      assert.equal(refund?.step, 'refund-payment')
      // An undo that takes too long is asked for again.
      assert.ok(undone.includes(refund?.at ?? ''))
    })

    it('have one that was stuck once, as it ended', async () => {
      let attempts = 0
      const cancelOrder = async () => {
        if (++attempts <= 6) throw new Error('order is unavailable')
        return { ...done, answered_at: at(1) }
      }
      const takePayment = async () => ({ outcome: 'rejected', reason: 'payment_declined' }) as const

      const { ended } = await buy({ cancelOrder, takePayment })

      assert.deepEqual(ended.steps, [
        { step: 'cancel-order', outcome: 'done', reason: null, at: at(1) },
      ])
    })
  })

  it('undoes everything when a step was undone before by a saga that was lost', async () => {
    const { ended, calls } = await buy({
      reserveStock: async () => ({ outcome: 'rejected', reason: 'undone' }),
    })

    assert.deepEqual(calls, ['reserveStock', ...everyUndo, 'announceEnd'])
    assert.deepEqual([ended.status, ended.reason], ['REJECTED', 'undone'])
  })

  it('ends REJECTED as unavailable when a command cannot be sent', async () => {
    const { ended, calls } = await buy({
      createOrder: async () => {
        throw new Error('Kafka does not take messages')
      },
    })

    assert.equal(ended.reason, 'unavailable')
    assert.equal(calls.filter((name) => name === 'createOrder').length, settings.stepAttempts)
  })

  it('announces until the announcement is taken', async () => {
    let refusals = 12
    const { calls } = await buy({
      announceEnd: async () => {
        if (refusals-- > 0) throw new Error('Kafka does not take messages')
      },
    })

    assert.equal(calls.filter((name) => name === 'announceEnd').length, 13)
  })

  it('refuses a purchase that cannot be read under the id that its saga would have had', async () => {
    const purchaseId = randomUUID()

    const ended = await withWorker({}, ({ taskQueue }) =>
      world.temporal.client.workflow.execute<typeof refusePurchase>('refusePurchase', {
        workflowId: `purchase-${purchaseId}`,
        taskQueue,
        args: [purchaseId],
      }),
    )

    assert.equal(ended.status, 'REJECTED')
    assert.equal(ended.reason, 'invalid')
  })
})

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '../../shared/contracts/ids.ts'
import { isDatabaseUnavailable } from '../../shared/database/failures.ts'
import { NoReplyError } from '../../shared/messaging/poison.ts'
import {
  around,
  done,
  openPayments,
  refund,
  type TestPayments,
  take,
} from '../../test/helpers/payments.ts'

/** Stands for kill -9 at that point: nothing after it runs. */
class Crash extends Error {
  override name = 'Crash'
}

describe('payments and crashes', () => {
  let payments: TestPayments

  before(async () => {
    payments = await openPayments()
  })

  after(() => payments.close())

  describe('a process that dies', () => {
    const takeSteps = ['insertPayment', 'prepare', 'keepReference', 'capture', 'settlePayment']
    const steps = [...takeSteps, 'transaction 1', 'void', 'refund', 'transaction 2']
    const points = steps.flatMap((name) =>
      (['before', 'after'] as const).map((when) => ({ name, when })),
    )

    for (const { name, when } of points) {
      it(`${when} ${name} loses and repeats nothing`, async () => {
        const crash = (at: string, then: string) => {
          if (at === name && then === when) throw new Crash()
        }
        const dying = payments.setUp({
          repositoryOf: (real) => around(real, crash),
          providerOf: (real) => around(real, crash),
        })
        const healthy = payments.setUp()
        const [taking, undoing] = [newId(), newId()]

        // The message is delivered again to a process that lives.
        const died = await dying.takePayment(take(taking)).then(
          () => false,
          (error) => error instanceof Crash,
        )
        assert.equal(died, takeSteps.includes(name))
        assert.deepEqual(await healthy.takePayment(take(taking)), await payments.taken(taking))
        assert.equal(await payments.statusOf(taking), 'CAPTURED')
        assert.deepEqual(payments.ledgerOf(taking), ['CAPTURE'])
        assert.deepEqual(payments.simulator.intentsOf(taking), ['succeeded'])

        // The saga stops instead, and the undo dies at its own point.
        await dying.takePayment(take(undoing)).catch(() => undefined)
        await dying.refundPayment(refund(undoing)).catch(() => undefined)
        assert.deepEqual(await healthy.refundPayment(refund(undoing)), done)
        await payments.assertGivenBack(undoing)
      })
    }
  })

  describe('do and undo side by side', () => {
    /** Each delivery pauses or dies at random between any two of its steps. */
    function shaky() {
      const disturb = async (name: string) => {
        await sleep(randomInt(4))
        if (randomInt(10) === 0) throw new Crash(name)
      }
      return payments.setUp({
        providerTimeoutMs: 1_000,
        repositoryOf: (real) => around(real, disturb),
        providerOf: (real) => around(real, disturb),
      })
    }

    /** Delivers as Kafka and the saga do: again after a crash, without a reply, or without the database. */
    async function until<T>(deliver: () => Promise<T>): Promise<T> {
      for (;;) {
        try {
          return await deliver()
        } catch (error) {
          const isRepeated = error instanceof Crash || error instanceof NoReplyError
          assert.ok(isRepeated || isDatabaseUnavailable(error), String(error))
        }
      }
    }

    it('never leave money taken, whatever comes first and wherever they die', async () => {
      const { takePayment, refundPayment } = shaky()
      const ids = Array.from({ length: 60 }, () => newId())
      for (let from = 0; from < ids.length; from += 10) {
        await Promise.all(
          ids.slice(from, from + 10).map(async (id) => {
            const command = take(id, { method: randomInt(5) ? 'sim_ok' : 'sim_fail_once' })
            const deliveries = [
              until(() => takePayment(command)),
              until(() => takePayment(command)),
              sleep(randomInt(25)).then(() => until(() => refundPayment(refund(id)))),
              sleep(randomInt(25)).then(() => until(() => refundPayment(refund(id)))),
            ]
            const replies = await Promise.all(deliveries)
            assert.deepEqual(replies.slice(2), [done, done])
            await payments.assertGivenBack(id)
          }),
        )
      }
    })

    it('keep our table and the ledger equal', async () => {
      const { takePayment, refundPayment } = shaky()
      const ids = Array.from({ length: 30 }, () => newId())
      await Promise.all(
        ids.map(async (id, index) => {
          await until(() => takePayment(take(id)))
          if (index % 3 === 0) await until(() => refundPayment(refund(id)))
        }),
      )
      const kept = ids.filter((_, index) => index % 3 !== 0)
      for (const id of ids) {
        const expected = kept.includes(id) ? ['CAPTURE'] : ['CAPTURE', 'REFUND']
        assert.deepEqual(payments.ledgerOf(id), expected)
      }
      for (const id of kept) assert.equal(await payments.statusOf(id), 'CAPTURED')
    })
  })
})

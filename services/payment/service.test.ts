import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import type { TakePayment } from '../../shared/contracts/commands.ts'
import { NoReplyError } from '../../shared/faults.ts'
import { commandId, newId } from '../../shared/ids.ts'
import type { Command } from '../../shared/participant.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { createCommandHandlers } from './commands.ts'
import { type PaymentProvider, ProviderUnavailableError } from './provider.ts'
import { connectRepository, type PaymentRepository } from './repository.ts'
import { createPaymentService } from './service.ts'
import { createSimulator } from './simulator.ts'
import { connectSimulatorRepository, type SimulatorRepository } from './simulator-repository.ts'

const done = { outcome: 'done' }
const taken = (id: string) => ({ outcome: 'done', provider_reference: `sim-${id}` })
const rejected = (reason: string) => ({ outcome: 'rejected', reason })

/** Stands for kill -9 at that point: nothing after it runs. */
class Crash extends Error {
  override name = 'Crash'
}

function take(
  purchaseId: string,
  body: Partial<TakePayment> = {},
  deadline?: number,
): Command<'takePayment'> {
  const id = commandId(purchaseId, 'take-payment')
  const whole = { customer_id: newId(), amount: 250, currency_code: 'VND', method: 'sim_ok' }
  return {
    name: 'takePayment',
    commandId: id,
    purchaseId,
    deadline,
    body: { ...whole, ...body },
  }
}

function refund(purchaseId: string): Command<'refundPayment'> {
  const id = commandId(purchaseId, 'refund-payment')
  return { name: 'refundPayment', commandId: id, purchaseId, deadline: undefined, body: {} }
}

/** Runs `hook` around each function of `target`; it gets the name and when. */
function around<T extends object>(
  target: T,
  hook: (name: string, when: 'before' | 'after') => Promise<void> | void,
): T {
  return new Proxy(target, {
    get(object, name) {
      const original = Reflect.get(object, name) as (...args: unknown[]) => Promise<unknown>
      return async (...args: unknown[]) => {
        await hook(String(name), 'before')
        const result = await original.apply(object, args)
        await hook(String(name), 'after')
        return result
      }
    },
  })
}

describe('payments', () => {
  const resources = new AsyncDisposableStack()
  let repository: PaymentRepository
  let simulatorRepository: SimulatorRepository
  let database: TestDatabase

  before(async () => {
    database = resources.adopt(await createTestDatabase('payment'), (open) => open.close())
    const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 10 }
    repository = resources.adopt(await connectRepository(config), (open) => open.close())
    simulatorRepository = resources.adopt(await connectSimulatorRepository(config), (open) =>
      open.close(),
    )
  })

  after(() => resources.disposeAsync())

  function setUp({
    refundFailures = 1_000_000,
    providerTimeoutMs = 2_000,
    repositoryOf = (real: PaymentRepository) => real,
    providerOf = (real: PaymentProvider) => real,
  } = {}) {
    const provider = createSimulator({ repository: simulatorRepository, refundFailures })
    const service = createPaymentService({
      repository: repositoryOf(repository),
      provider: providerOf(provider),
      providerTimeoutMs,
      logger: pino({ level: 'silent' }),
    })
    return { provider, ...createCommandHandlers(service) }
  }

  async function statusOf(id: string) {
    const [row] = await database.query(`SELECT status FROM payments WHERE id = '${id}'`)
    return row?.status
  }

  async function ledgerOf(id: string) {
    const rows = await database.query(
      `SELECT kind FROM provider_ledger WHERE key = '${id}' ORDER BY id`,
    )
    return rows.map(({ kind }) => kind)
  }

  /** After an undo that answered done: nothing is captured, and nothing can be any more. */
  async function assertGivenBack(id: string): Promise<void> {
    const entries = (await ledgerOf(id)).join()
    assert.ok(['', 'VOID', 'CAPTURE,REFUND'].includes(entries), `ledger of ${id}: ${entries}`)
    const status = await statusOf(id)
    const statuses = entries
      ? [entries === 'VOID' ? 'VOIDED' : 'REFUNDED']
      : [undefined, 'DECLINED']
    assert.ok(statuses.includes(status as string | undefined), `${status} with ${entries}`)
    const { takePayment } = setUp()
    assert.deepEqual(await takePayment(take(id)), rejected('undone'))
    assert.equal((await ledgerOf(id)).join(), entries)
  }

  describe('takePayment', () => {
    it('captures once, and answers a repeat with the stored reply', async () => {
      const { takePayment } = setUp()
      const id = newId()
      const command = take(id)
      const replies = await Promise.all([command, command, command].map(takePayment))
      assert.deepEqual(replies, [taken(id), taken(id), taken(id)])
      assert.deepEqual(await takePayment(command), taken(id))
      assert.equal(await statusOf(id), 'CAPTURED')
      assert.deepEqual(await ledgerOf(id), ['CAPTURE'])
    })

    for (const method of ['sim_declined', 'no_such_method']) {
      it(`is declined with ${method}`, async () => {
        const { takePayment, refundPayment } = setUp()
        const id = newId()
        assert.deepEqual(await takePayment(take(id, { method })), rejected('payment_declined'))
        assert.equal(await statusOf(id), 'DECLINED')
        assert.deepEqual(await refundPayment(refund(id)), done)
        assert.equal(await statusOf(id), 'DECLINED')
        assert.deepEqual(await ledgerOf(id), [])
      })
    }

    it('tries again when the provider is away for a moment', async () => {
      const { takePayment, provider } = setUp()
      const id = newId()
      assert.deepEqual(await takePayment(take(id, { method: 'sim_fail_once' })), taken(id))
      assert.equal(await provider.status(id), 'CAPTURED')
    })

    it('stays without a reply while the answer is lost, until its time is over', async () => {
      const { takePayment, refundPayment } = setUp({ providerTimeoutMs: 30 })
      const id = newId()
      const method = 'sim_timeout'
      await assert.rejects(takePayment(take(id, { method }, Date.now() + 60_000)), NoReplyError)
      await assert.rejects(takePayment(take(id, { method })), NoReplyError)
      assert.equal(await statusOf(id), 'PENDING')

      const unavailable = rejected('payment_unavailable')
      assert.deepEqual(await takePayment(take(id, { method }, Date.now() + 50)), unavailable)
      assert.deepEqual(await takePayment(take(id, { method })), unavailable)
      assert.equal(await statusOf(id), 'PENDING')
      assert.deepEqual(await ledgerOf(id), ['CAPTURE'])

      assert.deepEqual(await refundPayment(refund(id)), done)
      assert.equal(await statusOf(id), 'REFUNDED')
      await assertGivenBack(id)
    })

    it('does not ask the provider for an expired command', async () => {
      const { takePayment, refundPayment, provider } = setUp()
      const id = newId()
      assert.deepEqual(await takePayment(take(id, {}, Date.now() - 1)), rejected('expired'))
      assert.deepEqual(await takePayment(take(id)), rejected('expired'))
      assert.equal(await provider.status(id), null)
      assert.deepEqual(await refundPayment(refund(id)), done)
      await assertGivenBack(id)
    })

    for (const currency_code of ['ABC', 'vnd']) {
      it(`refuses the currency ${currency_code}`, async () => {
        const { takePayment, provider } = setUp()
        const id = newId()
        assert.deepEqual(await takePayment(take(id, { currency_code })), rejected('invalid'))
        assert.equal(await provider.status(id), null)
      })
    }

    it('is refused when the key was voided at the provider by other hands', async () => {
      const { takePayment, provider } = setUp()
      const id = newId()
      assert.deepEqual(await provider.void(id), { outcome: 'voided' })
      assert.deepEqual(await takePayment(take(id)), rejected('payment_declined'))
      assert.equal(await statusOf(id), 'VOIDED')
      assert.deepEqual(await ledgerOf(id), ['VOID'])
    })
  })

  describe('refundPayment', () => {
    it('refunds once, however often it is asked', async () => {
      const { takePayment, refundPayment } = setUp()
      const id = newId()
      await takePayment(take(id))
      const replies = await Promise.all([1, 2, 3].map(() => refundPayment(refund(id))))
      assert.deepEqual(replies, [done, done, done])
      assert.deepEqual(await refundPayment(refund(id)), done)
      assert.equal(await statusOf(id), 'REFUNDED')
      assert.deepEqual(await ledgerOf(id), ['CAPTURE', 'REFUND'])
      await assertGivenBack(id)
    })

    it('refuses the payment that comes after it, without the provider', async () => {
      const { takePayment, refundPayment, provider } = setUp()
      const id = newId()
      assert.deepEqual(await refundPayment(refund(id)), done)
      assert.deepEqual(await takePayment(take(id)), rejected('undone'))
      assert.equal(await provider.status(id), null)
    })

    it('gives no reply while giving back fails, and works once the provider does', async () => {
      const { takePayment, refundPayment } = setUp({ refundFailures: 3 })
      const id = newId()
      await takePayment(take(id, { method: 'sim_refund_fails' }))
      for (let attempt = 0; attempt < 3; attempt++) {
        await assert.rejects(refundPayment(refund(id)), NoReplyError)
        assert.equal(await statusOf(id), 'CAPTURED')
      }
      assert.deepEqual(await refundPayment(refund(id)), done)
      await assertGivenBack(id)
    })

    it('wins over a do that is at the provider, whichever gets there first', async () => {
      for (const when of ['before', 'after'] as const) {
        const atProvider = Promise.withResolvers<void>()
        const goOn = Promise.withResolvers<void>()
        const { takePayment } = setUp({
          providerOf: (real) =>
            around(real, async (name, then) => {
              if (name !== 'capture' || then !== when) return
              atProvider.resolve()
              await goOn.promise
            }),
        })
        const { refundPayment } = setUp()
        const id = newId()
        const taking = takePayment(take(id))
        await atProvider.promise
        assert.deepEqual(await refundPayment(refund(id)), done)
        goOn.resolve()
        assert.deepEqual(await taking, rejected('undone'))
        assert.equal(await statusOf(id), when === 'before' ? 'VOIDED' : 'REFUNDED')
        await assertGivenBack(id)
      }
    })
  })

  describe('a process that dies', () => {
    const steps = ['beginTake', 'capture', 'endTake', 'beginRefund', 'void', 'refund', 'endRefund']
    const points = steps.flatMap((name) =>
      (['before', 'after'] as const).map((when) => ({ name, when })),
    )

    for (const { name, when } of points) {
      it(`${when} ${name} loses and repeats nothing`, async () => {
        const crash = (at: string, then: string) => {
          if (at === name && then === when) throw new Crash()
        }
        const dying = setUp({
          repositoryOf: (real) => around(real, crash),
          providerOf: (real) => around(real, crash),
        })
        const healthy = setUp()
        const [taking, undoing] = [newId(), newId()]

        // The message is delivered again to a process that lives.
        const died = await dying.takePayment(take(taking)).then(
          () => false,
          (error) => error instanceof Crash,
        )
        assert.equal(died, ['beginTake', 'capture', 'endTake'].includes(name))
        assert.deepEqual(await healthy.takePayment(take(taking)), taken(taking))
        assert.equal(await statusOf(taking), 'CAPTURED')
        assert.deepEqual(await ledgerOf(taking), ['CAPTURE'])

        // The saga gives up instead, and the undo dies at its own point.
        await dying.takePayment(take(undoing)).catch(() => undefined)
        await dying.refundPayment(refund(undoing)).catch(() => undefined)
        assert.deepEqual(await healthy.refundPayment(refund(undoing)), done)
        await assertGivenBack(undoing)
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
      return setUp({
        providerTimeoutMs: 1_000,
        repositoryOf: (real) => around(real, disturb),
        providerOf: (real) => around(real, disturb),
      })
    }

    async function until<T>(deliver: () => Promise<T>): Promise<T> {
      for (;;) {
        try {
          return await deliver()
        } catch (error) {
          assert.ok(error instanceof Crash || error instanceof NoReplyError, String(error))
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
            await assertGivenBack(id)
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
      const keys = ids.map((id) => `'${id}'`).join()
      const captured = await database.query(
        `SELECT key FROM provider_ledger WHERE key IN (${keys}) GROUP BY key
         HAVING sum(CASE kind WHEN 'CAPTURE' THEN 1 WHEN 'REFUND' THEN -1 ELSE 0 END) = 1`,
      )
      const kept = ids.filter((_, index) => index % 3 !== 0)
      assert.deepEqual(captured.map(({ key }) => key).sort(), kept.sort())
      for (const id of kept) assert.equal(await statusOf(id), 'CAPTURED')
    })
  })

  it('gives up on a provider that is away, without a reply', async () => {
    const { takePayment, refundPayment } = setUp({
      providerOf: (real) =>
        around(real, () => {
          throw new ProviderUnavailableError('away')
        }),
    })
    const id = newId()
    await assert.rejects(takePayment(take(id)), NoReplyError)
    await assert.rejects(refundPayment(refund(id)), NoReplyError)
    assert.equal(await statusOf(id), 'PENDING')
    const later = setUp()
    assert.deepEqual(await later.refundPayment(refund(id)), done)
    assert.equal(await statusOf(id), 'VOIDED')
    await assertGivenBack(id)
  })
})

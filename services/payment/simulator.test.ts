import assert from 'node:assert/strict'
import { newId } from '../../shared/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { answerWithin, ProviderUnavailableError } from './provider.ts'
import { createSimulator } from './simulator.ts'
import { connectSimulatorRepository, type SimulatorRepository } from './simulator-repository.ts'

function buildCharge(method = 'sim_ok') {
  const key = newId()
  return { key, amount: 250, currencyCode: 'VND', method }
}

describe('provider simulator', () => {
  let database: TestDatabase
  let repository: SimulatorRepository

  before(async () => {
    database = await createTestDatabase('payment')
    repository = await connectSimulatorRepository({
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: 4,
    })
  })

  after(async () => {
    await repository.close()
    await database.close()
  })

  it('captures once per key and gives every caller the same answer', async () => {
    const provider = createSimulator({ repository, refundFailures: 0 })
    const charge = buildCharge()
    const answers = await Promise.all([1, 2, 3, 4].map(() => provider.capture(charge)))
    const answer = { outcome: 'captured', reference: `sim-${charge.key}` }
    assert.deepEqual(answers, [answer, answer, answer, answer])
  })

  it('refuses to capture a voided key, known before or not', async () => {
    const provider = createSimulator({ repository, refundFailures: 0 })
    const charge = buildCharge('sim_fail_once')
    await assert.rejects(provider.capture(charge), ProviderUnavailableError)
    assert.equal(await provider.status(charge.key), 'NEW')
    for (const voided of [charge, buildCharge()]) {
      assert.deepEqual(await provider.void(voided.key), { outcome: 'voided' })
      assert.deepEqual(await provider.void(voided.key), { outcome: 'voided' })
      assert.deepEqual(await provider.capture(voided), { outcome: 'voided' })
    }
  })

  it('says that a void comes too late, and then refunds once', async () => {
    const provider = createSimulator({ repository, refundFailures: 0 })
    const charge = buildCharge()
    await provider.capture(charge)
    assert.deepEqual(await provider.void(charge.key), { outcome: 'captured' })
    assert.deepEqual(await provider.refund(charge.key), { outcome: 'refunded' })
    assert.deepEqual(await provider.refund(charge.key), { outcome: 'refunded' })
    assert.deepEqual(await provider.capture(charge), { outcome: 'voided' })
    assert.equal(await provider.status(charge.key), 'REFUNDED')
  })

  it('captures with sim_timeout and loses the answer', async () => {
    const provider = createSimulator({ repository, refundFailures: 0 })
    const charge = buildCharge('sim_timeout')
    await assert.rejects(answerWithin(200, provider.capture(charge)), ProviderUnavailableError)
    assert.equal(await provider.status(charge.key), 'CAPTURED')
  })

  it('fails as often as it is told to with sim_refund_fails', async () => {
    const provider = createSimulator({ repository, refundFailures: 20 })
    const charge = buildCharge('sim_refund_fails')
    await provider.capture(charge)
    for (let call = 0; call < 10; call++) {
      await assert.rejects(provider.void(charge.key), ProviderUnavailableError)
      await assert.rejects(provider.refund(charge.key), ProviderUnavailableError)
    }
    assert.deepEqual(await provider.refund(charge.key), { outcome: 'refunded' })
  })
})

import assert from 'node:assert/strict'
import { newId } from '../shared/contracts/ids.ts'
import { checkSagas, checkStraySagas } from './saga-checks.ts'
import type { Saga } from './sagas.ts'

describe('sagas', () => {
  const row = { id: newId(), status: 'COMPLETED', amount: '1', currency_code: 'VND', lines: [] }
  const withSaga = (saga: Saga, live = false, earlier = 0) =>
    checkSagas([row], {
      ...{ of: 'purchase', live, earlier, batch: 10 },
      read: async () => new Map([[row.id, saga]]),
    })

  it('pass when they returned what the purchase shows', async () => {
    assert.equal((await withSaga({ state: 'COMPLETED', result: 'COMPLETED' })).ok, true)
  })

  for (const [saga, says] of [
    [{ state: 'COMPLETED', result: 'REJECTED' }, /COMPLETED, saga returned REJECTED/],
    [{ state: 'FAILED' }, /saga FAILED/],
    [{ state: 'RUNNING' }, /saga RUNNING/],
  ] satisfies [Saga, RegExp][]) {
    it(`are found when they did not: ${saga.result ?? saga.state}`, async () => {
      const check = await withSaga(saga)
      assert.deepEqual([check.ok, check.purchaseIds], [false, [row.id]])
      assert.match(check.detail, says)
    })
  }

  it('may be gone from Temporal, which the check says', async () => {
    const check = await withSaga({ state: 'missing' })
    assert.equal(check.ok, true)
    assert.match(check.detail, /1 no longer in Temporal/)
  })

  it('of earlier purchases are not read, which the check says', async () => {
    const check = await withSaga({ state: 'COMPLETED', result: 'COMPLETED' }, false, 7)
    assert.match(check.detail, /^1 sagas, 7 earlier ones not read$/)
  })

  it('are strays when they have no purchase', async () => {
    const stray = newId()
    async function* pages() {
      yield [row.id]
      yield [stray]
    }
    const statusesOf = async () => new Map([[row.id, 'COMPLETED']])
    const check = await checkStraySagas('purchase', pages(), statusesOf)
    assert.deepEqual([check.ok, check.purchaseIds], [false, [stray]])
    assert.match(check.detail, /has a saga and no purchase/)
  })

  it('may still be closing while the shop is at work', async () => {
    assert.equal((await withSaga({ state: 'RUNNING' }, true)).ok, true)
  })
})

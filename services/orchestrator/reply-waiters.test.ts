import assert from 'node:assert/strict'
import { newId } from '../../shared/ids.ts'
import { createReplyWaiters } from './reply-waiters.ts'

const reply = { outcome: 'done' } as const

describe('createReplyWaiters', () => {
  it('gives the waits of one purchase up, and no others', async () => {
    const waiters = createReplyWaiters()
    const [unwanted, other] = [newId(), newId()]
    const given = ['reserve-stock', 'create-order'].map((step) =>
      waiters.wait(`${unwanted}/${step}`, 60_000),
    )
    const kept = waiters.wait(`${other}/reserve-stock`, 60_000)
    waiters.giveUp(unwanted)

    assert.deepEqual(await Promise.all(given), [undefined, undefined])
    assert.equal(waiters.answer(`${unwanted}/reserve-stock`, reply), false)
    assert.equal(waiters.answer(`${other}/reserve-stock`, reply), true)
    assert.equal(await kept, reply)
  })

  it('knows from then on that nobody wants that purchase', () => {
    const waiters = createReplyWaiters()
    const [unwanted, other] = [newId(), newId()]
    waiters.giveUp(unwanted)

    assert.equal(waiters.isUnwanted(unwanted), true)
    assert.equal(waiters.isUnwanted(other), false)
  })
})

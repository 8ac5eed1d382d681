import assert from 'node:assert/strict'
import { newId } from '../../../shared/contracts/ids.ts'
import { createReplyWaiters } from './reply-waiters.ts'

const reply = { outcome: 'done' } as const

describe('createReplyWaiters', () => {
  it('hands a reply to every step that waits for it, and to no other', async () => {
    const waiters = createReplyWaiters()
    const [id, other] = [newId(), newId()]
    const waits = [1, 2].map(() => waiters.wait(`${id}/reserve-stock`, 60_000))
    const otherWait = waiters.wait(`${other}/reserve-stock`, 60_000)

    assert.equal(waiters.answer(`${id}/reserve-stock`, reply), true)
    assert.deepEqual(await Promise.all(waits), [reply, reply])
    assert.equal(waiters.answer(`${id}/reserve-stock`, reply), false)
    assert.equal(waiters.answer(`${other}/reserve-stock`, reply), true)
    assert.equal(await otherWait, reply)
  })

  it('ends a wait without a reply when its time is up', async () => {
    const waiters = createReplyWaiters()
    const commandId = `${newId()}/create-order`

    assert.equal(await waiters.wait(commandId, 1), undefined)
    assert.equal(waiters.answer(commandId, reply), false)
  })
})

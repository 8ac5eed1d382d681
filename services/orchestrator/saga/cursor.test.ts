import assert from 'node:assert/strict'
import { cursorOf, tokenOf } from './cursor.ts'

describe('the cursor of a page of sagas', () => {
  const token = Buffer.from('{"CloseTime":"2026-12-01T00:00:00Z"}')

  it('is the token of the page again', () => {
    assert.deepEqual(tokenOf(cursorOf(token) ?? ''), token)
    assert.equal(cursorOf(new Uint8Array()), null)
  })

  it('is known from text that no list returned, without a call to Temporal', () => {
    const bytes = Buffer.from(cursorOf(token) ?? '', 'base64url')
    bytes[bytes.length - 1] = 0
    for (const cursor of ['AAAA', token.toString('base64url'), bytes.toString('base64url')]) {
      assert.throws(() => tokenOf(cursor), /cursor: must be a cursor that a list returned/)
    }
  })
})

import assert from 'node:assert/strict'
import { hash } from '@node-rs/argon2'
import { createPasswords } from './passwords.ts'

const client = '203.0.113.1'

describe('passwords', () => {
  it('match their own hash only', async () => {
    const passwords = await createPasswords()
    const stored = await passwords.hash('correct horse', client)

    const equal = { equal: true, form: 'composed' }
    assert.deepEqual(await passwords.matches('correct horse', stored, client), equal)
    assert.deepEqual(await passwords.matches('correct horse ', stored, client), { equal: false })
    assert.deepEqual(await passwords.matches('correct horse', undefined, client), { equal: false })
    assert.notEqual(await passwords.hash('correct horse', client), stored)
  })

  it('match in every form of Unicode, and say which form a hash of before has', async () => {
    const passwords = await createPasswords()
    const [composed, decomposed] = ['ma\u00f1ana', 'man\u0303ana']
    const stored = await passwords.hash(decomposed, client)

    for (const password of [composed, decomposed]) {
      const match = await passwords.matches(password, stored, client)
      assert.deepEqual(match, { equal: true, form: 'composed' })
    }
    const old = await hash(decomposed)
    const match = await passwords.matches(decomposed, old, client)
    assert.deepEqual(match, { equal: true, form: 'as given' })
    assert.deepEqual(await passwords.matches(composed, old, client), { equal: false })
  })

  it('give their place back when hashing fails', async () => {
    const passwords = await createPasswords({ concurrency: 1, maxWaiting: 0 })

    await assert.rejects(passwords.matches('password', 'not a hash', client))

    await assert.doesNotReject(passwords.hash('password', client))
  })
})

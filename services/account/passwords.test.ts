import assert from 'node:assert/strict'
import { AppError } from '../../shared/errors.ts'
import { createPasswords } from './passwords.ts'

describe('passwords', () => {
  it('match their own hash only', async () => {
    const passwords = await createPasswords()
    const hash = await passwords.hash('correct horse')

    assert.equal(await passwords.matches('correct horse', hash), true)
    assert.equal(await passwords.matches('correct horse ', hash), false)
    assert.equal(await passwords.matches('correct horse', undefined), false)
    assert.notEqual(await passwords.hash('correct horse'), hash)
  })

  it('wait their turn, and are refused when too many wait', async () => {
    const passwords = await createPasswords({ concurrency: 1, maxWaiting: 2 })
    const ended: number[] = []
    const tries = [1, 2, 3, 4].map((n) =>
      passwords.hash(`password ${n}`).then(() => {
        ended.push(n)
      }),
    )

    const results = await Promise.allSettled(tries)

    assert.deepEqual(ended, [1, 2, 3])
    const [refused] = results.filter((result) => result.status === 'rejected')
    assert.ok(refused?.reason instanceof AppError && refused.reason.kind === 'unavailable')
    await assert.doesNotReject(passwords.hash('password 5'))
  })

  it('give their place back when hashing fails', async () => {
    const passwords = await createPasswords({ concurrency: 1, maxWaiting: 0 })

    await assert.rejects(passwords.matches('password', 'not a hash'))

    await assert.doesNotReject(passwords.hash('password'))
  })
})

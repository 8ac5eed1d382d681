import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { ConfigError, loadConfig } from './config.ts'
import { createSeal, SealError, sealingKeys } from './seal.ts'

const aKey = () => randomBytes(32).toString('base64url')

describe('a seal', () => {
  const [key, other] = [aKey(), aKey()]
  const { seal, open } = createSeal([key])

  it('hides a text from everyone without the key, with a new sealed text each time', () => {
    const sealed = seal('123456', 'mail 1')

    assert.equal(open(sealed, 'mail 1'), '123456')
    assert.ok(!sealed.includes('123456'))
    assert.notEqual(seal('123456', 'mail 1'), sealed)
    assert.throws(() => createSeal([other]).open(sealed, 'mail 1'), SealError)
  })

  it('opens for its purpose only, and only unchanged', () => {
    const sealed = seal('123456', 'mail 1')
    const last = sealed.at(-3) === 'A' ? 'B' : 'A'

    assert.throws(() => open(sealed, 'mail 2'), SealError)
    assert.throws(() => open(sealed.slice(0, -3) + last + sealed.slice(-2), 'mail 1'), SealError)
    assert.throws(() => open('sealed.1.AAAA', 'mail 1'), SealError)
  })

  it('opens what was sealed with an older key, while that is listed', () => {
    const both = createSeal([other, key])

    assert.equal(both.open(seal('123456', 'mail 1'), 'mail 1'), '123456')
    assert.throws(() => open(both.seal('123456', 'mail 1'), 'mail 1'), SealError)
  })

  it('returns text that was never sealed unchanged', () => {
    assert.equal(open('123456', 'mail 1'), '123456')
  })

  it('takes keys of 256 bits', () => {
    const variables = { KEYS: sealingKeys }

    assert.deepEqual(loadConfig(variables, { KEYS: `${key}, ${other}` }).KEYS, [key, other])
    assert.throws(() => loadConfig(variables, { KEYS: 'hunter2' }), ConfigError)
    assert.throws(() => loadConfig(variables, {}), ConfigError)
  })
})

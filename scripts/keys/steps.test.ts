import assert from 'node:assert/strict'
import { createKeyedHash } from '../../services/account/keyed-hash.ts'
import type { StackInfo } from '../stack/client.ts'
import { stackUrls } from '../stack/client.ts'
import { resolvePorts } from '../stack/ports.ts'
import { generateSecrets, type Secrets } from '../stack/secrets.ts'
import { serviceEnv } from '../stack/service-env.ts'
import { type ServiceName, serviceNames } from '../stack/services.ts'
import { keyNames, processesOf, steps, takeStep } from './steps.ts'
import { changesOf, withChanges } from './variables.ts'

function envOf(service: ServiceName, secrets: Secrets): Record<string, string> {
  const ports = resolvePorts(0, {})
  const stack: StackInfo = { dataDir: '/data', ports, urls: stackUrls(ports), secrets }
  return serviceEnv(service, stack)
}

describe('the steps of a key', () => {
  const first = generateSecrets()

  for (const key of keyNames) {
    it(`replace ${key}: it is accepted before it is used, and the old one until it is removed`, () => {
      const added = takeStep(first, key, 'add')
      const used = takeStep(added, key, 'use')
      const removed = takeStep(used, key, 'remove')

      const { accepted: _, ...current } = added
      assert.deepEqual(current, first)
      assert.deepEqual(removed.accepted, {})
      assert.notDeepEqual({ ...removed, accepted: undefined }, { ...first, accepted: undefined })
      assert.throws(() => takeStep(added, key, 'add'), /two are accepted/)
      assert.throws(() => takeStep(first, key, 'use'), /only one is accepted/)
      assert.throws(() => takeStep(first, key, 'remove'), /only one is accepted/)
      assert.ok(steps.every((step) => processesOf(key, step).length > 0))
    })
  }

  it('restart every service whose keys change, except one that only uses the first', () => {
    /** Its variables, with the entries of each list in one order. */
    const keysOf = (service: ServiceName, secrets: Secrets) =>
      Object.entries(envOf(service, secrets)).map(([name, text]) => {
        const parts = /^[{[]/.test(text) ? text.match(/"[^"]*"/g) : text.split(',')
        return `${name}=${parts?.toSorted()}`
      })
    const missed: string[] = []
    for (const key of keyNames) {
      let secrets = first
      for (const step of steps) {
        const next = takeStep(secrets, key, step)
        const restarted = processesOf(key, step)
        for (const service of serviceNames) {
          const before = new Set(keysOf(service, secrets))
          const isSame = keysOf(service, next).every((each) => before.has(each))
          if (!isSame && !restarted.includes(service)) missed.push(`${key} ${step} ${service}`)
        }
        secrets = next
      }
    }

    // It seals with the first of its keys, and opens nothing.
    assert.deepEqual(missed, ['code-sealing add account'])
  })

  it('of jwt give services both keys to verify with, and one to sign with', () => {
    const added = takeStep(first, 'jwt', 'add')
    const used = takeStep(added, 'jwt', 'use')
    const keysOf = (secrets: Secrets) =>
      Object.keys(JSON.parse(envOf('order', secrets).JWT_VERIFY_KEYS ?? '')).toSorted()
    const signer = (secrets: Secrets) => JSON.parse(envOf('account', secrets).JWT_SIGNING_KEY ?? '')

    const kids = [first.jwt.kid, added.accepted?.jwt?.kid ?? ''].toSorted()
    assert.deepEqual([keysOf(added), keysOf(used)], [kids, kids])
    assert.equal(signer(added).kid, first.jwt.kid)
    assert.equal(signer(used).kid, added.accepted?.jwt?.kid)
    assert.deepEqual(keysOf(takeStep(used, 'jwt', 'remove')), [used.jwt.kid])
  })

  it('of jwt keep the hashes of codes, however often it is replaced', () => {
    let secrets = first
    const hash = (of: Secrets) =>
      createKeyedHash(JSON.parse(envOf('account', of).JWT_SIGNING_KEY ?? ''))('code', '123456')
    for (let round = 0; round < 2; round++) {
      for (const step of steps) secrets = takeStep(secrets, 'jwt', step)
    }

    assert.equal(hash(secrets), hash(first))
  })

  it('of an operator’s token give services the hashes of both', () => {
    const added = takeStep(first, 'operator-token', 'add')
    const { local } = JSON.parse(envOf('orchestrator', added).OPERATOR_TOKENS ?? '')

    assert.equal(local.length, 2)
  })
})

describe('the steps of a key in a file of variables', () => {
  const { jwt, operatorToken, operatorSessionKey, codeSealingKey, provider } = generateSecrets()
  const text = `# for compose
JWT_VERIFY_KEYS='${JSON.stringify({ [jwt.kid]: jwt.publicKey })}'
JWT_SIGNING_KEY='${JSON.stringify({ kid: jwt.kid, pem: jwt.privateKey })}'
OPERATOR_TOKENS='{"lan":"${'0'.repeat(64)}","local":"x"}'
OPERATOR_TOKEN='${operatorToken}'
OPERATOR_SESSION_KEYS='${operatorSessionKey}'
CODE_SEALING_KEYS='${codeSealingKey}'
STRIPE_API_KEY='${provider.key}'
STRIPE_WEBHOOK_SECRETS='${provider.webhookSecret}'
`
  const read = (of: string) =>
    Object.fromEntries(
      [...of.matchAll(/^(\w+)='(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]),
    )

  it('replace a list from its end to its beginning', () => {
    const list = (of: string) => (read(of).CODE_SEALING_KEYS ?? '').split(',')
    const take = (of: string, step: (typeof steps)[number]) =>
      withChanges(of, changesOf('code-sealing', step, read(of)))

    const added = take(text, 'add')
    const used = take(added, 'use')
    const [old, fresh] = list(added)

    assert.equal(old, codeSealingKey)
    assert.deepEqual(list(used), [fresh, old])
    assert.deepEqual(list(take(used, 'remove')), [fresh])
    assert.throws(() => take(text, 'use'), /only one entry/)
  })

  it('replace jwt, keep what only the next step needs, and leave every other line as it is', () => {
    const take = (of: string, step: (typeof steps)[number]) =>
      withChanges(of, changesOf('jwt', step, read(of)))

    const added = take(text, 'add')
    const used = take(added, 'use')
    const removed = take(used, 'remove')

    assert.equal(Object.keys(JSON.parse(read(added).JWT_VERIFY_KEYS ?? '')).length, 2)
    const { kid } = JSON.parse(read(added).JWT_NEXT_SIGNING_KEY ?? '')
    assert.equal(JSON.parse(read(used).JWT_SIGNING_KEY ?? '').kid, kid)
    assert.deepEqual(Object.keys(JSON.parse(read(removed).JWT_VERIFY_KEYS ?? '')), [kid])
    const others = (of: string) => of.split('\n').filter((line) => !line.startsWith('JWT_'))
    assert.deepEqual(others(removed), others(text))
    const hash = (of: string) => createKeyedHash(JSON.parse(read(of).JWT_SIGNING_KEY ?? ''))('x')
    assert.equal(hash(removed), hash(text))
  })

  it('replace the token of the local operator, and no other', () => {
    const take = (of: string, step: (typeof steps)[number]) =>
      withChanges(of, changesOf('operator-token', step, read(of)))
    const tokens = (of: string) => JSON.parse(read(of).OPERATOR_TOKENS ?? '')

    const added = take(text, 'add')
    const removed = take(take(added, 'use'), 'remove')

    assert.equal(tokens(added).local.length, 2)
    assert.equal(tokens(removed).local, tokens(added).local[1])
    assert.equal(tokens(removed).lan, '0'.repeat(64))
    assert.equal(read(removed).OPERATOR_TOKEN, read(added).OPERATOR_NEXT_TOKEN)
  })

  it('take what the provider has made', () => {
    const changes = changesOf('webhook', 'add', read(text), 'whsec_new')
    assert.equal(changes.STRIPE_WEBHOOK_SECRETS, `${provider.webhookSecret},whsec_new`)
    assert.throws(() => changesOf('provider', 'add', read(text)), /--value/)
    assert.deepEqual(changesOf('provider', 'use', read(text), 'sk_live_1'), {
      STRIPE_API_KEY: 'sk_live_1',
    })
  })
})

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { startServiceProcess } from '../../test/helpers/service-process.ts'
import { testSealingKeys, testTokens } from '../../test/helpers/tokens.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'

const { config, signingKey } = testTokens
const environment = {
  HTTP_PORT: '0',
  GRPC_PORT: '0',
  LOG_LEVEL: 'trace',
  REDIS_NODES: '127.0.0.1:1',
  JWT_VERIFY_KEYS: JSON.stringify(config.JWT_VERIFY_KEYS),
  JWT_ISSUER: config.JWT_ISSUER,
  JWT_AUDIENCE: config.JWT_AUDIENCE,
  JWT_SIGNING_KEY: JSON.stringify(signingKey),
  KAFKA_BROKERS: '127.0.0.1:1',
  OPERATOR_EMAIL: 'operator@example.com',
  OPERATOR_TOKENS: '{}',
  OPERATOR_SESSION_KEYS: testSealingKeys.join(),
  GRPC_ADDRESS: '127.0.0.1:1',
  CODE_SEALING_KEYS: testSealingKeys.join(),
}

describe('the account process', () => {
  const open = new AsyncDisposableStack()
  after(() => open.disposeAsync())

  const startAccount = (env: Record<string, string>) =>
    open.adopt(startServiceProcess('account', env), (running) => running.close())

  it('does not start without its variables and names them', async () => {
    const account = startAccount({})

    assert.equal(await account.exited(), 1)
    for (const name of [...Object.keys(environment), 'DATABASE_URL']) {
      if (name !== 'LOG_LEVEL') assert.match(account.output(), new RegExp(`${name}: `))
    }
  })

  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  })
  for (const [what, key] of [
    ['belongs to no verification key', { ...signingKey, kid: 'unknown' }],
    ['does not fit the verification key', { ...signingKey, pem: stranger }],
    ['is no key', { ...signingKey, pem: 'hunter2' }],
  ] as const) {
    it(`does not start with a signing key that ${what}`, async () => {
      const DATABASE_URL = 'postgresql://account:hunter2@127.0.0.1:1/account_db'
      const JWT_SIGNING_KEY = JSON.stringify(key)

      const account = startAccount({ ...environment, DATABASE_URL, JWT_SIGNING_KEY })

      assert.equal(await account.exited(), 1)
      assert.match(account.output(), /invalid configuration: JWT_SIGNING_KEY: must be/)
      assert.doesNotMatch(account.output(), /hunter2|PRIVATE KEY/)
    })
  }

  it('logs no password, hash or token, and drains when it is asked to end', async () => {
    const database = await createTestDatabase('account')
    open.adopt(database, (created) => created.close())
    const topics = open.adopt(await createTestTopics(), (created) => created.close())
    const account = startAccount({
      ...environment,
      DATABASE_URL: database.url,
      KAFKA_BROKERS: topics.config.KAFKA_BROKERS.join(','),
      KAFKA_TOPIC_PREFIX: topics.config.KAFKA_TOPIC_PREFIX,
    })
    const url = `http://127.0.0.1:${await account.port()}/api/v1/account`
    const headers = { 'content-type': 'application/json' }
    const post = (path: string, body: object) =>
      fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    const email = `${randomUUID()}@example.com`
    const password = randomUUID()
    const form = {
      ...{ email, password, first_name: 'An', last_name: 'Ng' },
      ...{ address: '1 Le Loi', phone_number: '0901234567' },
    }

    const registered = await post('/register', form)
    const pair = (await registered.json()) as { access_token: string; refresh_token: string }
    const answers = await Promise.all([
      post('/register', form),
      post('/register', { ...form, role: 'admin' }),
      post('/login', { email, password }),
      post('/login', { email, password: `${password}x` }),
      post('/refresh', { refresh_token: pair.refresh_token }),
      fetch(`${url}/customer/personal`, {
        headers: { authorization: `Bearer ${pair.access_token}` },
      }),
    ])
    account.stop()

    assert.deepEqual(
      answers.map((answer) => answer.status),
      [409, 400, 200, 401, 200, 200],
    )
    assert.equal(await account.exited(), 0)
    const output = account.output()
    assert.match(output, /"url":"\/api\/v1\/account\/login"/)
    assert.match(output, /"msg":"stopped"/)
    const told = [output, ...(await Promise.all(answers.map((answer) => answer.text())))].join('\n')
    assert.ok(!told.includes('argon2'), 'a password hash is told')
    assert.ok(!told.includes(password), 'a password is told')
    assert.ok(!output.includes(pair.refresh_token), 'a refresh token is logged')
    assert.ok(!output.includes(pair.access_token), 'an access token is logged')
  })
})

import assert from 'node:assert/strict'
import type { TokenPair } from '../../shared/contracts/account.ts'
import { startTestAccount, type TestAccount } from '../../test/helpers/account.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'

describe('an account', () => {
  const open = new AsyncDisposableStack()
  let account: TestAccount

  before(async () => {
    const topics = open.adopt(await createTestTopics(), (it) => it.close())
    account = open.adopt(await startTestAccount(topics.config), (it) => it.close())
  })

  after(() => open.disposeAsync())

  describe('a session', () => {
    const refresh = ({ refresh_token }: TokenPair) => account.post('/refresh', { refresh_token })
    async function refreshed(pair: TokenPair): Promise<TokenPair> {
      const { status, body } = await refresh(pair)
      assert.equal(status, 200)
      return body
    }
    const login = async ({ email, password }: { email: string; password: string }) =>
      (await account.post('/login', { email, password })).body as TokenPair
    const authenticate = ({ access_token }: TokenPair) => account.authenticate(access_token)
    const personal = ({ access_token }: TokenPair) =>
      account.get('/customer/personal', access_token).then(({ status }) => status)

    async function assertEnded(pair: TokenPair) {
      assert.equal((await refresh(pair)).status, 401)
      await assert.rejects(authenticate(pair), { kind: 'unauthorized' })
      assert.equal(await personal(pair), 401)
    }
    async function assertAlive(pair: TokenPair) {
      await assert.doesNotReject(authenticate(pair))
      assert.equal(await personal(pair), 200)
      return refreshed(pair)
    }
    const later = (interval: string) =>
      account.query(`UPDATE refresh_tokens SET rotated_at = rotated_at - interval '${interval}'`)

    it('ends when a refresh token comes again whose successor is in use, and no other one does', async () => {
      const customer = await account.register()
      const other = await login(customer)
      const second = await refreshed(customer.pair)
      const third = await refreshed(second)

      assert.equal((await refresh(customer.pair)).status, 401)

      for (const pair of [customer.pair, second, third]) await assertEnded(pair)
      await assertAlive(other)
    })

    it('ends when a refresh token comes again after the grace', async () => {
      const { pair } = await account.register()
      const next = await refreshed(pair)
      await later('11 seconds')

      assert.equal((await refresh(pair)).status, 401)

      await assertEnded(next)
    })

    it('tolerates two honest requests with one token at once, and an answer that was lost', async () => {
      const { pair } = await account.register()

      const [one, two] = await Promise.all([refreshed(pair), refreshed(pair)])
      const repeated = await refreshed(pair)

      assert.notEqual(one.refresh_token, two.refresh_token)
      for (const next of [one, two, repeated]) {
        await assert.doesNotReject(authenticate(next))
        assert.equal(await personal(next), 200)
      }
      await assertAlive(repeated)
    })

    it('goes on with one of the tokens that one token was exchanged for: its use ends the others', async () => {
      const { pair } = await account.register()
      const [one, two, three] = [
        await refreshed(pair),
        await refreshed(pair),
        await refreshed(pair),
      ]

      const next = await refreshed(two)

      for (const sibling of [one, three]) assert.equal((await refresh(sibling)).status, 401)
      await assertAlive(next)
    })

    it('goes on with one chain when two siblings are used at once', async () => {
      const { pair } = await account.register()
      const siblings = [await refreshed(pair), await refreshed(pair)]

      const answers = await Promise.all(siblings.map(refresh))

      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401])
    })

    it('ends when a token comes whose sibling was used, after the grace', async () => {
      const { pair } = await account.register()
      const [one, two] = [await refreshed(pair), await refreshed(pair)]
      const next = await refreshed(one)
      await later('11 seconds')

      assert.equal((await refresh(two)).status, 401)

      await assertEnded(next)
    })

    it('ends with its absolute age, however often it is refreshed', async () => {
      const { pair } = await account.register()
      const { account_id } = await authenticate(pair)
      await account.query(
        `UPDATE sessions SET expires_at = now() WHERE account_id = '${account_id}'`,
      )

      await assertEnded(pair)
    })

    it('ends by logout, with its tokens and without those of others', async () => {
      const customer = await account.register()
      const other = await login(customer)

      const answer = await account.post('/logout', undefined, customer.pair.access_token)

      assert.deepEqual([answer.status, answer.text], [204, ''])
      await assertEnded(customer.pair)
      const { access_token } = customer.pair
      assert.equal((await account.post('/logout', undefined, access_token)).status, 401)
      await assertAlive(other)
    })

    it('ends by a logout everywhere, with all others of its account', async () => {
      const customer = await account.register()
      const other = await login(customer)
      const stranger = await account.register()

      const { status } = await account.post('/logout', { everywhere: true }, other.access_token)

      assert.equal(status, 204)
      for (const pair of [customer.pair, other]) await assertEnded(pair)
      await assertAlive(stranger.pair)
      await assertAlive(await login(customer))
    })

    it('cannot be named by the token of another account', async () => {
      const victim = await account.register()
      const thief = await account.register()
      const claims = (pair: TokenPair) =>
        JSON.parse(Buffer.from(pair.access_token.split('.')[1] ?? '', 'base64url').toString())

      const mixed = testTokens.tokenFor(claims(thief.pair).sub, claims(victim.pair).sid)

      await assert.rejects(account.authenticate(mixed), { kind: 'unauthorized' })
    })
  })

  describe('a customer', () => {
    it('replaces the personal information', async () => {
      const { email, pair } = await account.register()
      const form = {
        first_name: 'Binh',
        last_name: 'Tran',
        address: '2 Hai Ba Trung',
        phone_number: '0987654321',
      }

      const { status, body } = await account.put('/customer/personal', form, pair.access_token)

      assert.equal(status, 200)
      const { id, ...rest } = body
      assert.deepEqual(rest, {
        ...{ ...form, email, email_verified: false },
        roles: ['buyer', 'seller'],
      })
      assert.deepEqual((await account.get('/customer/personal', pair.access_token)).body, body)
    })

    it('reads and replaces where purchases go', async () => {
      const { address, phone_number, pair } = await account.register()
      const form = { address: '2 Hai Ba Trung', phone_number: '0987654321' }

      const before = await account.get('/customer/delivery', pair.access_token)
      const replaced = await account.put('/customer/delivery', form, pair.access_token)
      const after = await account.get('/customer/delivery', pair.access_token)

      assert.deepEqual(before.body, { address, phone_number })
      assert.equal(replaced.status, 200)
      assert.deepEqual(replaced.body, form)
      assert.deepEqual(after.body, form)
      const { body } = await account.get('/customer/personal', pair.access_token)
      assert.equal(body.first_name, 'An')
      assert.equal(body.address, form.address)
    })

    it('cannot set what is not theirs to set, nor half of it', async () => {
      const { pair } = await account.register()
      const form = { address: '2 Hai Ba Trung', phone_number: '0987654321' }

      for (const [path, body] of [
        ['/customer/delivery', { ...form, email: 'other@example.com' }],
        ['/customer/delivery', { address: form.address }],
        ['/customer/personal', { ...form, first_name: 'A', last_name: 'B', email_verified: true }],
      ] as const) {
        assert.equal((await account.put(path, body, pair.access_token)).status, 400)
      }
    })

    for (const password of ['password123', 'PassWord123', '12345678']) {
      it(`cannot have the password ${password}`, async () => {
        await assert.rejects(account.register({ password }), /400: .*"field":"password"/)
      })
    }

    it('has a long password with its last character', async () => {
      const password = 'x'.repeat(127)
      const { email } = await account.register({ password: `${password}a` })

      assert.equal((await account.post('/login', { email, password: `${password}b` })).status, 401)
      assert.equal((await account.post('/login', { email, password })).status, 401)
      assert.equal((await account.post('/login', { email, password: `${password}a` })).status, 200)
    })
  })
})

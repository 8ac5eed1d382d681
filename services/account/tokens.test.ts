import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import {
  type AccountHttp,
  openAccountHttp,
  pairOf,
  problemOf,
} from '../../test/helpers/account-http.ts'
import { forgedTokens } from '../../test/helpers/forged-tokens.ts'

describe('tokens of account', () => {
  let account: AccountHttp

  before(async () => {
    account = await openAccountHttp()
  })

  after(() => account.close())

  describe('refresh', () => {
    const refresh = (refresh_token: string) => account.post('/refresh', { refresh_token })

    it('exchanges a refresh token once for a new pair of the same account', async () => {
      const { form, pair } = await account.registered()

      const exchanged = await refresh(pair.refresh_token)

      assert.equal(exchanged.status, 200)
      const next = await pairOf(exchanged)
      assert.notEqual(next.refresh_token, pair.refresh_token)
      const page = await account.personal(next.access_token)
      assert.equal(((await page.json()) as { email: string }).email, form.email)
      assert.equal((await refresh(next.refresh_token)).status, 200)
      assert.equal((await refresh(pair.refresh_token)).status, 401)
    })

    it('lets exactly one of many win that use one token at once', async () => {
      const { pair } = await account.registered()

      const responses = await Promise.all([1, 2, 3, 4].map(() => refresh(pair.refresh_token)))

      assert.deepEqual(responses.map((response) => response.status).sort(), [200, 401, 401, 401])
    })

    it('refuses a token that is unknown, expired or no refresh token', async () => {
      const { pair } = await account.registered()
      const hash = createHash('sha256').update(pair.refresh_token).digest('base64url')
      await account.sql.query(
        'UPDATE refresh_tokens SET expires_at = now() WHERE token_hash = $1',
        [hash],
      )

      for (const token of [pair.refresh_token, 'nonsense', hash, randomUUID()]) {
        const response = await refresh(token)
        assert.equal(response.status, 401)
        assert.equal((await problemOf(response)).type, 'urn:shop:problem:unauthorized')
      }
      assert.equal((await refresh('')).status, 400)
    })

    it('stores when the token ends', async () => {
      const { pair } = await account.registered()
      const hash = createHash('sha256').update(pair.refresh_token).digest('base64url')

      const { rows } = await account.sql.query(
        'SELECT extract(epoch FROM expires_at - now())::int AS left FROM refresh_tokens WHERE token_hash = $1',
        [hash],
      )

      assert.ok(rows[0].left > 50 && rows[0].left <= 60)
    })
  })

  describe('an access token', () => {
    it('is valid for HTTP and for gRPC', async () => {
      const { pair } = await account.registered()

      const page = (await (await account.personal(pair.access_token)).json()) as { id: string }
      const answer = await account.grpc.Authenticate({ access_token: pair.access_token })

      assert.deepEqual(answer, {
        account_id: page.id,
        email_verified: false,
        roles: ['buyer', 'seller'],
      })
    })

    it('is refused at both when its account is gone', async () => {
      const { form, pair } = await account.registered()
      await account.sql.query('DELETE FROM accounts WHERE email = $1', [form.email])

      const response = await account.personal(pair.access_token)

      assert.equal(response.status, 401)
      await assert.rejects(account.grpc.Authenticate({ access_token: pair.access_token }), {
        kind: 'unauthorized',
      })
      assert.equal(
        (await account.post('/refresh', { refresh_token: pair.refresh_token })).status,
        401,
      )
    })

    for (const kind of Object.keys(forgedTokens(randomUUID()))) {
      it(`${kind} is refused at both`, async () => {
        const { rows } = await account.sql.query(
          'SELECT id, account_id FROM sessions WHERE ended_at IS NULL LIMIT 1',
        )
        const token = forgedTokens(rows[0].account_id, rows[0].id)[kind] ?? ''

        const response = await account.personal(token)

        assert.equal(response.status, 401)
        assert.equal(response.headers.get('www-authenticate'), 'Bearer')
        await assert.rejects(account.grpc.Authenticate({ access_token: token }), {
          kind: 'unauthorized',
        })
      })
    }

    it('that is missing is refused at both', async () => {
      const response = await fetch(`${account.url}/api/v1/account/customer/personal`)

      assert.equal(response.status, 401)
      await assert.rejects(account.grpc.Authenticate({ access_token: '' }), {
        kind: 'unauthorized',
      })
    })
  })
})

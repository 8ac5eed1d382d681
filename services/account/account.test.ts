import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import pg from 'pg'
import { pino } from 'pino'
import { waitFor } from '../../scripts/wait-for.ts'
import { connectGrpc, type GrpcClient } from '../../shared/grpc.ts'
import { createTestDatabase } from '../../test/helpers/database.ts'
import { forgedTokens } from '../../test/helpers/forged-tokens.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'
import { start } from './main.ts'

type Pair = { access_token: string; refresh_token: string; token_type: string; expires_in: number }
type Problem = { type: string; detail: string; errors: { field: string; rule: string }[] }

const uuidv7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('account', () => {
  const open = new AsyncDisposableStack()
  let url: string
  let sql: pg.Client
  let grpc: GrpcClient<'auth'>

  before(async () => {
    const database = open.adopt(await createTestDatabase('account'), (db) => db.close())
    const topics = open.adopt(await createTestTopics(), (created) => created.close())
    const config = {
      ...topics.config,
      ...testTokens.config,
      JWT_SIGNING_KEY: testTokens.signingKey,
      ACCESS_TOKEN_TTL_SECONDS: 900,
      REFRESH_TOKEN_TTL_SECONDS: 60,
      SESSION_TTL_SECONDS: 600,
      REFRESH_GRACE_SECONDS: 0,
      OPERATOR_EMAIL: 'operator@example.com',
      VERIFY_CODE_TTL_SECONDS: 3600,
      RESET_CODE_TTL_SECONDS: 600,
      SESSION_RETENTION_SECONDS: 3600,
      OUTBOX_RETENTION_SECONDS: 3600,
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: 4,
      // Nobody is there: rate limits let everybody pass.
      REDIS_NODES: Array.of('127.0.0.1:1'),
      RATE_LIMIT_REGISTER: '1/60',
      RATE_LIMIT_LOGIN: '1/60',
      RATE_LIMIT_CODE: '1/60',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      GRPC_PORT: 0,
      LOG_LEVEL: 'silent',
      MAX_IN_FLIGHT: 256,
      APP_ENV: 'local',
    } as const
    sql = open.adopt(new pg.Client({ connectionString: database.url }), (client) => client.end())
    await sql.connect()
    const service = await start(config, pino({ level: 'silent' }))
    open.adopt(service, (running) => running.close())
    url = `http://127.0.0.1:${service.port}`
    grpc = open.adopt(connectGrpc('auth', `127.0.0.1:${service.grpcPort}`), (it) => it.close())
  })

  after(() => open.disposeAsync())

  const post = (path: string, body: unknown, token?: string) =>
    fetch(`${url}/api/v1/account${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const personal = (token: string) =>
    fetch(`${url}/api/v1/account/customer/personal`, {
      headers: { authorization: `Bearer ${token}` },
    })
  const pairOf = async (response: Response) => (await response.json()) as Pair
  const problemOf = async (response: Response) => (await response.json()) as Problem

  const aForm = (overrides: object = {}) => ({
    email: `${randomUUID()}@example.com`,
    password: 'correct horse',
    first_name: 'An',
    last_name: 'Nguyen',
    address: '1 Le Loi',
    phone_number: '+84901234567',
    ...overrides,
  })
  async function registered(overrides: object = {}) {
    const form = aForm(overrides)
    const response = await post('/register', form)
    assert.equal(response.status, 201)
    return { form, pair: await pairOf(response) }
  }

  describe('register and login', () => {
    it('take the bodies of the README and give the token pair that opens the personal page', async () => {
      const registeredResponse = await post(
        '/register',
        `{
    "email": "deptrai@gmail.com",
    "password": "deptrai123",
    "first_name": "dep",
    "last_name": "trai",
    "address": "123 quan 9",
    "phone_number": "0110213813"
}`,
      )
      const loggedIn = await post(
        '/login',
        `{
    "email": "deptrai@gmail.com",
    "password": "deptrai123"
}`,
      )

      assert.equal(registeredResponse.status, 201)
      assert.equal(loggedIn.status, 200)
      for (const pair of [await pairOf(registeredResponse), await pairOf(loggedIn)]) {
        assert.deepEqual(Object.keys(pair).sort(), [
          'access_token',
          'expires_in',
          'refresh_token',
          'token_type',
        ])
        assert.equal(pair.token_type, 'Bearer')
        assert.equal(pair.expires_in, 900)
        assert.match(pair.refresh_token, /^[\w-]{43}$/)
        for (const response of [
          await personal(pair.access_token),
          await post('/customer/personal', '', pair.access_token),
        ]) {
          assert.equal(response.status, 200)
          const { id, ...rest } = (await response.json()) as { id: string }
          assert.match(id, uuidv7)
          assert.deepEqual(rest, {
            email: 'deptrai@gmail.com',
            email_verified: false,
            first_name: 'dep',
            last_name: 'trai',
            address: '123 quan 9',
            phone_number: '0110213813',
          })
        }
      }
    })

    it('know one account by any spelling of its address', async () => {
      const { form } = await registered({ email: `An.${randomUUID()}@Example.com` })
      const shouted = form.email.toUpperCase()

      const second = await post('/register', aForm({ email: shouted }))
      const login = await post('/login', { email: ` ${shouted} `, password: form.password })

      assert.equal(second.status, 409)
      const problem = await problemOf(second)
      assert.equal(problem.type, 'urn:shop:problem:conflict')
      assert.deepEqual(problem.errors, [{ field: 'email', rule: 'is taken' }])
      assert.equal(login.status, 200)
    })

    it('let one of many win who register one address at once', async () => {
      const form = aForm()

      const responses = await Promise.all([1, 2, 3, 4].map(() => post('/register', form)))

      assert.deepEqual(responses.map((response) => response.status).sort(), [201, 409, 409, 409])
    })

    it('name every field that is wrong', async () => {
      const bad = { email: 'nobody', password: 'short', first_name: ' ', phone_number: 'call me' }

      const response = await post('/register', bad)
      const login = await post('/login', {})

      assert.equal(response.status, 400)
      assert.deepEqual((await problemOf(response)).errors.map(({ field }) => field).sort(), [
        'address',
        'email',
        'first_name',
        'last_name',
        'password',
        'phone_number',
      ])
      assert.equal(login.status, 400)
      assert.deepEqual((await problemOf(login)).errors.map(({ field }) => field).sort(), [
        'email',
        'password',
      ])
    })

    for (const [field, value] of [
      ['id', randomUUID()],
      ['password_hash', 'x'],
      ['verified', true],
    ] as const) {
      it(`refuse a ${field} that the client would like to set`, async () => {
        const response = await post('/register', aForm({ [field]: value }))

        assert.equal(response.status, 400)
        assert.deepEqual((await problemOf(response)).errors, [{ field, rule: 'is not known' }])
      })
    }

    for (const field of ['first_name', 'last_name', 'address']) {
      it(`refuse a ${field} that PostgreSQL cannot store`, async () => {
        const response = await post('/register', aForm({ [field]: 'a\0b' }))

        assert.equal(response.status, 400)
        assert.equal((await problemOf(response)).errors[0]?.field, field)
      })
    }

    it('take a password of any characters as it is', async () => {
      const { form } = await registered({ password: ' пароль \0 🔑  ' })

      const exact = await post('/login', { email: form.email, password: form.password })
      const trimmed = await post('/login', { email: form.email, password: form.password.trim() })

      assert.equal(exact.status, 200)
      assert.equal(trimmed.status, 401)
    })

    it('answer a wrong password and an unknown address alike, in the same time', async () => {
      const { form } = await registered()
      const unknown = `${randomUUID()}@example.com`
      const tries = { wrong: [] as number[], unknown: [] as number[] }

      const answers = new Set<string>()
      for (let round = 0; round < 8; round++) {
        for (const [kind, email] of [
          ['wrong', form.email] as const,
          ['unknown', unknown] as const,
        ]) {
          const since = performance.now()
          const response = await post('/login', { email, password: 'wrong horse' })
          tries[kind].push(performance.now() - since)
          assert.equal(response.status, 401)
          answers.add(await response.text())
        }
      }

      assert.equal(answers.size, 1)
      const fastest = { wrong: Math.min(...tries.wrong), unknown: Math.min(...tries.unknown) }
      assert.ok(fastest.unknown > fastest.wrong / 2, JSON.stringify(fastest))
    })

    it('keep of a password its argon2id hash and of a refresh token its SHA-256', async () => {
      const { form, pair } = await registered()

      const accounts = await sql.query('SELECT * FROM accounts WHERE email = $1', [form.email])
      const tokens = await sql.query(
        'SELECT t.* FROM refresh_tokens t JOIN sessions s ON s.id = session_id WHERE account_id = $1',
        [accounts.rows[0].id],
      )

      assert.match(accounts.rows[0].password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
      assert.equal(
        tokens.rows[0].token_hash,
        createHash('sha256').update(pair.refresh_token).digest('base64url'),
      )
      const stored = JSON.stringify([accounts.rows, tokens.rows])
      assert.ok(!stored.includes(form.password) && !stored.includes(pair.refresh_token))
    })
  })

  describe('refresh', () => {
    const refresh = (refresh_token: string) => post('/refresh', { refresh_token })

    it('exchanges a refresh token once for a new pair of the same account', async () => {
      const { form, pair } = await registered()

      const exchanged = await refresh(pair.refresh_token)

      assert.equal(exchanged.status, 200)
      const next = await pairOf(exchanged)
      assert.notEqual(next.refresh_token, pair.refresh_token)
      const page = await personal(next.access_token)
      assert.equal(((await page.json()) as { email: string }).email, form.email)
      assert.equal((await refresh(next.refresh_token)).status, 200)
      assert.equal((await refresh(pair.refresh_token)).status, 401)
    })

    it('lets exactly one of many win that use one token at once', async () => {
      const { pair } = await registered()

      const responses = await Promise.all([1, 2, 3, 4].map(() => refresh(pair.refresh_token)))

      assert.deepEqual(responses.map((response) => response.status).sort(), [200, 401, 401, 401])
    })

    it('refuses a token that is unknown, expired or no refresh token', async () => {
      const { pair } = await registered()
      const hash = createHash('sha256').update(pair.refresh_token).digest('base64url')
      await sql.query('UPDATE refresh_tokens SET expires_at = now() WHERE token_hash = $1', [hash])

      for (const token of [pair.refresh_token, 'nonsense', hash, randomUUID()]) {
        const response = await refresh(token)
        assert.equal(response.status, 401)
        assert.equal((await problemOf(response)).type, 'urn:shop:problem:unauthorized')
      }
      assert.equal((await refresh('')).status, 400)
    })

    it('stores when the token ends', async () => {
      const { pair } = await registered()
      const hash = createHash('sha256').update(pair.refresh_token).digest('base64url')

      const { rows } = await sql.query(
        'SELECT extract(epoch FROM expires_at - now())::int AS left FROM refresh_tokens WHERE token_hash = $1',
        [hash],
      )

      assert.ok(rows[0].left > 50 && rows[0].left <= 60)
    })
  })

  describe('an access token', () => {
    it('is good at the HTTP and at the gRPC door', async () => {
      const { pair } = await registered()

      const page = (await (await personal(pair.access_token)).json()) as { id: string }
      const answer = await grpc.Authenticate({ access_token: pair.access_token })

      assert.deepEqual(answer, { account_id: page.id, email_verified: false })
    })

    it('is refused at both when its account is gone', async () => {
      const { form, pair } = await registered()
      await sql.query('DELETE FROM accounts WHERE email = $1', [form.email])

      const response = await personal(pair.access_token)

      assert.equal(response.status, 401)
      await assert.rejects(grpc.Authenticate({ access_token: pair.access_token }), {
        kind: 'unauthorized',
      })
      assert.equal((await post('/refresh', { refresh_token: pair.refresh_token })).status, 401)
    })

    for (const kind of Object.keys(forgedTokens(randomUUID()))) {
      it(`${kind} is refused at both`, async () => {
        const { rows } = await sql.query(
          'SELECT id, account_id FROM sessions WHERE ended_at IS NULL LIMIT 1',
        )
        const token = forgedTokens(rows[0].account_id, rows[0].id)[kind] ?? ''

        const response = await personal(token)

        assert.equal(response.status, 401)
        assert.equal(response.headers.get('www-authenticate'), 'Bearer')
        await assert.rejects(grpc.Authenticate({ access_token: token }), { kind: 'unauthorized' })
      })
    }

    it('that is missing is refused at both', async () => {
      const response = await fetch(`${url}/api/v1/account/customer/personal`)

      assert.equal(response.status, 401)
      await assert.rejects(grpc.Authenticate({ access_token: '' }), { kind: 'unauthorized' })
    })
  })

  it('is ready and measured', async () => {
    const ready = await waitFor('account to join its group', async () => {
      const response = await fetch(`${url}/health/ready`)
      return response.ok && response
    })

    const checks = { database: true, results: true }
    assert.deepEqual(await ready.json(), { status: 'ready', checks })
    assert.equal((await fetch(`${url}/metrics`)).status, 200)
  })
})

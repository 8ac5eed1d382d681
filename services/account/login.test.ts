import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { hash } from '@node-rs/argon2'
import { type AccountHttp, openAccountHttp } from '../../test/helpers/account-http.ts'

describe('register and login with passwords', () => {
  let account: AccountHttp

  before(async () => {
    account = await openAccountHttp()
  })

  after(() => account.close())

  it('take a password of any characters as it is', async () => {
    const { form } = await account.registered({ password: ' пароль \0 🔑  ' })

    const exact = await account.post('/login', { email: form.email, password: form.password })
    const trimmed = await account.post('/login', {
      email: form.email,
      password: form.password.trim(),
    })

    assert.equal(exact.status, 200)
    assert.equal(trimmed.status, 401)
  })

  it('know a password by its characters, whatever form of Unicode the keyboard sends', async () => {
    const [composed, decomposed] = [
      'ma\u00f1ana por la ma\u00f1ana',
      'man\u0303ana por la man\u0303ana',
    ]
    const { form } = await account.registered({ password: composed })
    const other = await account.registered({ password: decomposed })

    for (const { email } of [form, other.form]) {
      for (const password of [composed, decomposed]) {
        assert.equal((await account.post('/login', { email, password })).status, 200)
      }
      assert.equal(
        (await account.post('/login', { email, password: 'manana por la manana' })).status,
        401,
      )
    }
  })

  it('let in who registered before passwords were normalized, and hash the password anew', async () => {
    const { form } = await account.registered()
    const { email } = form
    const decomposed = 'man\u0303ana por la man\u0303ana'
    await account.sql.query('UPDATE accounts SET password_hash = $1 WHERE email = $2', [
      await hash(decomposed),
      email,
    ])

    assert.equal((await account.post('/login', { email, password: decomposed })).status, 200)

    const password = decomposed.normalize('NFC')
    assert.equal((await account.post('/login', { email, password })).status, 200)
  })

  it('answer a wrong password and an unknown address alike, in the same time', async () => {
    const { form } = await account.registered()
    const unknown = `${randomUUID()}@example.com`
    const tries = { wrong: [] as number[], unknown: [] as number[] }

    const fastest = () => ({
      wrong: Math.min(...tries.wrong),
      unknown: Math.min(...tries.unknown),
    })
    const isAlike = () => fastest().unknown > fastest().wrong / 2
    const answers = new Set<string>()
    // What else the machine does only adds to a time, so the fastest of many is the time itself.
    for (let round = 0; round < 8 || (round < 80 && !isAlike()); round++) {
      for (const [kind, email] of [['wrong', form.email] as const, ['unknown', unknown] as const]) {
        const since = performance.now()
        const response = await account.post('/login', { email, password: 'wrong horse' })
        tries[kind].push(performance.now() - since)
        assert.equal(response.status, 401)
        answers.add(await response.text())
      }
    }

    assert.equal(answers.size, 1)
    assert.ok(isAlike(), JSON.stringify(fastest()))
  })

  it('keep of a password its argon2id hash and of a refresh token its SHA-256', async () => {
    const { form, pair } = await account.registered()

    const accounts = await account.sql.query('SELECT * FROM accounts WHERE email = $1', [
      form.email,
    ])
    const tokens = await account.sql.query(
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

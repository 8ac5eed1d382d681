import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { codeIn, mailsTo, waitForMails } from '../../test/helpers/mailbox.ts'
import { type Mailing, openMailing } from '../../test/helpers/mailing.ts'

describe('mails with codes', () => {
  let shop: Mailing

  before(async () => {
    shop = await openMailing()
  })

  after(() => shop.close())

  const verify = async (email: string, code: string) =>
    (await shop.account.post('/verify', { email, code })).status
  const wrong = (code: string) => (code === '000000' ? '000001' : '000000')
  const isVerified = async ({ pair }: { pair: { access_token: string } }) =>
    (await shop.account.authenticate(pair.access_token)).email_verified
  const setCodes = (email: string, set: string) =>
    shop.account.query(
      `UPDATE mailed_codes SET ${set} FROM accounts WHERE id = account_id AND email = '${email}'`,
    )

  describe('that verify an address', () => {
    it('bring the code that does it, once', async () => {
      const customer = await shop.registered()
      const [mail] = await mailsTo(customer.email)

      assert.equal(await isVerified(customer), false)
      assert.equal(await verify(customer.email.toUpperCase(), ` ${customer.code} `), 204)
      assert.equal(await isVerified(customer), true)
      assert.equal(await verify(customer.email, customer.code), 422)

      assert.equal(mail?.subject, 'Your verification code')
      assert.deepEqual(mail?.from, [{ address: 'shop@example.com', name: 'The Shop' }])
      assert.match(
        mail?.headers['message-id'] ?? '',
        /^<[0-9a-f-]{36}\/verify-email@example\.com>$/,
      )
      assert.match(mail?.html ?? '', new RegExp(customer.code))
    })

    it('keep no readable code: neither in the outbox, nor in Kafka, nor among the codes', async () => {
      const { email, code } = await shop.registered()

      const stored = await shop.account.query(`
        SELECT code_hash FROM mailed_codes JOIN accounts ON id = account_id WHERE email = '${email}'`)
      const unsent = await waitFor('the outbox to be marked', async () => {
        const rows = await shop.account.query('SELECT * FROM outbox WHERE payload IS NOT NULL')
        return rows.length === 0 && rows
      })

      assert.match(String(stored[0]?.code_hash), /^[\w-]{43}$/)
      const published = await shop.topics.read('emails')
      await waitFor('the mail in Kafka', async () => published.some(({ key }) => key === email))
      const data = published.map(({ value }) => JSON.parse(value).data)
      assert.ok(!JSON.stringify([stored, unsent, data]).includes(code))
    })

    it('bring a code that allows five wrong guesses, also when they come at once', async () => {
      const { email, code } = await shop.registered()
      const guess = () => verify(email, wrong(code))

      const guesses = await Promise.all([guess(), guess(), guess(), guess(), guess()])

      assert.deepEqual(new Set(guesses), new Set([422]))
      assert.equal(await verify(email, code), 422)
      await shop.account.post('/verify/resend', { email })
      const mails = await waitForMails(email, 2)
      assert.equal(await verify(email, codeIn(mails[1])), 204)
    })

    it('bring a code that is good however often strangers guess', async () => {
      const { email, code } = await shop.registered()
      for (const client of ['203.0.113.1', '203.0.113.2']) {
        for (let i = 0; i < 5; i += 1) {
          await shop.account.postFrom(client, '/verify', { email, code: wrong(code) })
        }
      }

      const { status } = await shop.account.postFrom('203.0.113.3', '/verify', { email, code })
      assert.equal(status, 422, 'strangers together have five guesses')
      assert.equal(await verify(email, code), 204)
    })

    it('bring a code that is good from another address than it was asked for from', async () => {
      const { email, code } = await shop.registered()

      const { status } = await shop.account.postFrom('203.0.113.1', '/verify', { email, code })

      assert.equal(status, 204)
    })

    it('bring a code that expires', async () => {
      const { email, code } = await shop.registered()
      await setCodes(email, 'expires_at = now()')

      assert.equal(await verify(email, code), 422)
    })

    it('are sent again five times an hour at most, and only the last code is good', async () => {
      const { email, code } = await shop.registered()
      const answers = new Set<string>()
      for (let i = 0; i < 6; i++) {
        const { status, text } = await shop.account.post('/verify/resend', { email })
        answers.add(`${status} ${text}`)
      }
      await shop.account.post('/password/forgot', { email })

      // Mails to one address keep their order, so nothing is under way when the last one is there.
      const mails = await waitFor('the last mail', async () => {
        const all = await mailsTo(email)
        return all.at(-1)?.subject === 'Your code for a new password' && all
      })

      const codes = mails.slice(0, -1).map(codeIn)
      assert.equal(codes.length, 5)
      assert.equal(answers.size, 1)
      const last = codes.at(-1) ?? ''
      if (code !== last) assert.equal(await verify(email, code), 422)
      assert.equal(await verify(email, last), 204)
      await setCodes(email, "counted_since = now() - interval '61 minutes'")
      await shop.account.post('/verify/resend', { email })
      await shop.account.post('/password/forgot', { email })
      const after = await waitForMails(email, 7)
      assert.deepEqual(
        after.slice(6).map(({ subject }) => subject),
        ['Your code for a new password'],
        'who is verified needs no code',
      )
    })

    it('cannot be told from none when the address is not known', async () => {
      const { email, code } = await shop.registered()
      const stranger = `${randomUUID()}@example.com`

      for (const path of ['/verify/resend', '/password/forgot']) {
        const known = await shop.account.post(path, { email })
        assert.equal(known.status, 202)
        assert.deepEqual(await shop.account.post(path, { email: stranger }), known)
      }
      for (const [path, rest] of [
        ['/verify', {}],
        ['/password/reset', { password: 'a new horse' }],
      ] as const) {
        const known = await shop.account.post(path, { email, code: wrong(code), ...rest })
        const unknown = await shop.account.post(path, { email: stranger, code, ...rest })
        assert.deepEqual(unknown, known)
        assert.equal(known.status, 422)
        assert.equal(known.body.errors[0].field, 'code')
      }
      assert.deepEqual(await mailsTo(stranger), [])
    })
  })

  describe('that reset a password', () => {
    it('bring the code that sets a new one, verifies the address and ends all sessions', async () => {
      const customer = await shop.registered()
      const { email, pair } = customer
      await shop.account.post('/password/forgot', { email })
      const [, mail] = await waitForMails(email, 2)
      const code = codeIn(mail)
      const reset = (password: string) =>
        shop.account.post('/password/reset', { email, code, password }).then(({ status }) => status)
      const login = (password: string) => shop.account.post('/login', { email, password })

      assert.equal(await verify(email, code), customer.code === code ? 204 : 422)
      assert.equal(await reset('password123'), 400)
      assert.equal(await reset('another horse'), 204)
      assert.equal(await reset('a third horse'), 422)

      assert.equal((await login(customer.password)).status, 401)
      const { status, body } = await login('another horse')
      assert.equal(status, 200)
      const { refresh_token, access_token } = pair
      assert.equal((await shop.account.post('/refresh', { refresh_token })).status, 401)
      await assert.rejects(shop.account.authenticate(access_token), { kind: 'unauthorized' })
      assert.equal(await isVerified({ pair: body }), true)
    })

    it('come to the owner, and are good, whatever strangers ask for', async () => {
      const { email } = await shop.registered()
      const forgot = async (client: string) =>
        (await shop.account.postFrom(client, '/password/forgot', { email })).status
      await shop.account.post('/password/forgot', { email })
      const [, asked] = await waitForMails(email, 2)

      for (const client of ['203.0.113.1', '203.0.113.2', '203.0.113.3']) {
        for (let i = 0; i < 6; i += 1) assert.equal(await forgot(client), 202)
      }
      await shop.account.post('/password/forgot', { email })

      // One of the owner, nine of strangers before the ten of an hour, and one more of the owner.
      const mails = await waitForMails(email, 12)
      assert.equal(mails.length, 12)
      const codes = new Set(mails.slice(1).map(codeIn))
      const reset = (code: string, password: string) =>
        shop.account.post('/password/reset', { email, code, password }).then(({ status }) => status)
      if (codeIn(asked) !== codeIn(mails.at(-1))) {
        assert.equal(await reset(codeIn(asked), 'an older horse'), 422)
      }
      assert.equal(await reset(codeIn(mails.at(-1)), 'another horse'), 204)
      for (const code of [...codes].slice(0, 3))
        assert.equal(await reset(code, 'a third horse'), 422)
    })
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { waitFor } from '../../scripts/wait-for.ts'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import type { KafkaClient } from '../../shared/kafka.ts'
import { sendEvent } from '../../shared/messages.ts'
import { startTestAccount, type TestAccount } from '../../test/helpers/account.ts'
import { codeIn, mailsTo, waitForMails } from '../../test/helpers/mailbox.ts'
import { testStack } from '../../test/helpers/stack.ts'
import { createTcpProxy } from '../../test/helpers/tcp-proxy.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'
import { start } from './main.ts'

describe('mails', function () {
  this.timeout(60_000)

  const open = new AsyncDisposableStack()
  let account: TestAccount
  let kafka: KafkaClient
  let proxy: Awaited<ReturnType<typeof createTcpProxy>>

  before(async () => {
    const { urls } = await testStack()
    const topics = open.adopt(await createTestTopics(), (it) => it.close())
    const { hostname: host, port } = new URL(urls.smtp)
    const target = { host, port: Number(port) }
    proxy = open.adopt(await createTcpProxy(target), (it) => it.close())
    kafka = open.adopt(await topics.connect('test'), (it) => it.close())
    account = open.adopt(await startTestAccount(topics.config), (it) => it.close())
    const config = {
      ...topics.config,
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      LOG_LEVEL: 'silent',
      MAX_IN_FLIGHT: 256,
      APP_ENV: 'local',
      SMTP_URL: `smtp://127.0.0.1:${proxy.port}`,
      MAIL_FROM: 'The Shop <shop@example.com>',
    } as const
    open.adopt(await start(config, pino({ level: 'silent' })), (it) => it.close())
  })

  after(() => open.disposeAsync())

  const verify = async (email: string, code: string) =>
    (await account.post('/verify', { email, code })).status
  const wrong = (code: string) => (code === '000000' ? '000001' : '000000')
  const isVerified = async ({ pair }: { pair: { access_token: string } }) =>
    (await account.authenticate(pair.access_token)).email_verified
  const setCodes = (email: string, set: string) =>
    account.query(
      `UPDATE email_codes SET ${set} FROM accounts WHERE id = account_id AND email = '${email}'`,
    )

  /** Somebody new, and the code that they were mailed. */
  async function registered(overrides: object = {}) {
    const customer = await account.register(overrides)
    const [mail] = await waitForMails(customer.email, 1)
    return { ...customer, code: codeIn(mail) }
  }

  describe('that verify an address', () => {
    it('bring the code that does it, once', async () => {
      const customer = await registered()
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

    it('leave no code behind: neither in the outbox nor readable among the codes', async () => {
      const { email, code } = await registered()

      const stored = await account.query(`
        SELECT code_hash FROM email_codes JOIN accounts ON id = account_id WHERE email = '${email}'`)
      const unsent = await waitFor('the outbox to be marked', async () => {
        const rows = await account.query('SELECT * FROM outbox WHERE payload IS NOT NULL')
        return rows.length === 0 && rows
      })

      assert.match(String(stored[0]?.code_hash), /^\$argon2id\$/)
      assert.ok(!JSON.stringify([stored, unsent]).includes(code))
    })

    it('bring a code that bears five wrong guesses, also when they come at once', async () => {
      const { email, code } = await registered()
      const guess = () => verify(email, wrong(code))

      const guesses = await Promise.all([guess(), guess(), guess(), guess(), guess()])

      assert.deepEqual(new Set(guesses), new Set([422]))
      assert.equal(await verify(email, code), 422)
      await account.post('/verify/resend', { email })
      const mails = await waitForMails(email, 2)
      assert.equal(await verify(email, codeIn(mails[1])), 204)
    })

    it('bring a code that expires', async () => {
      const { email, code } = await registered()
      await setCodes(email, 'expires_at = now()')

      assert.equal(await verify(email, code), 422)
    })

    it('are sent again five times an hour at most, and only the last code is good', async () => {
      const { email, code } = await registered()
      const answers = new Set<string>()
      for (let i = 0; i < 6; i++) {
        const { status, text } = await account.post('/verify/resend', { email })
        answers.add(`${status} ${text}`)
      }
      await account.post('/password/forgot', { email })

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
      await account.post('/verify/resend', { email })
      await account.post('/password/forgot', { email })
      const after = await waitForMails(email, 7)
      assert.deepEqual(
        after.slice(6).map(({ subject }) => subject),
        ['Your code for a new password'],
        'who is verified needs no code',
      )
    })

    it('cannot be told from none when the address is not known', async () => {
      const { email, code } = await registered()
      const stranger = `${randomUUID()}@example.com`

      for (const path of ['/verify/resend', '/password/forgot']) {
        const known = await account.post(path, { email })
        assert.equal(known.status, 202)
        assert.deepEqual(await account.post(path, { email: stranger }), known)
      }
      for (const [path, rest] of [
        ['/verify', {}],
        ['/password/reset', { password: 'a new horse' }],
      ] as const) {
        const known = await account.post(path, { email, code: wrong(code), ...rest })
        const unknown = await account.post(path, { email: stranger, code, ...rest })
        assert.deepEqual(unknown, known)
        assert.equal(known.status, 422)
        assert.equal(known.body.errors[0].field, 'code')
      }
      assert.deepEqual(await mailsTo(stranger), [])
    })
  })

  describe('that reset a password', () => {
    it('bring the code that sets a new one, verifies the address and ends all sessions', async () => {
      const customer = await registered()
      const { email, pair } = customer
      await account.post('/password/forgot', { email })
      const [, mail] = await waitForMails(email, 2)
      const code = codeIn(mail)
      const reset = (password: string) =>
        account.post('/password/reset', { email, code, password }).then(({ status }) => status)
      const login = (password: string) => account.post('/login', { email, password })

      assert.equal(await verify(email, code), customer.code === code ? 204 : 422)
      assert.equal(await reset('password123'), 400)
      assert.equal(await reset('another horse'), 204)
      assert.equal(await reset('a third horse'), 422)

      assert.equal((await login(customer.password)).status, 401)
      const { status, body } = await login('another horse')
      assert.equal(status, 200)
      const { refresh_token, access_token } = pair
      assert.equal((await account.post('/refresh', { refresh_token })).status, 401)
      await assert.rejects(account.authenticate(access_token), { kind: 'unauthorized' })
      assert.equal(await isVerified({ pair: body }), true)
    })
  })

  describe('about a purchase', () => {
    const announce = (ended: Partial<PurchaseEnded>) =>
      sendEvent(kafka.publish, 'purchaseEnded', {
        purchase_id: randomUUID(),
        customer_id: null,
        status: 'COMPLETED',
        reason: null,
        failed_step: null,
        ...ended,
      })

    it('are sent once each, however often its end is announced, and in their order', async () => {
      const { email, pair } = await registered({ first_name: 'Nam' })
      const { account_id: customer_id } = await account.authenticate(pair.access_token)
      const [completed, rejected, cancelled] = [randomUUID(), randomUUID(), randomUUID()]
      await announce({})
      await announce({ customer_id: randomUUID() })
      await announce({ customer_id, status: 'RESOLVED' })
      for (let i = 0; i < 2; i++) {
        await announce({ customer_id, purchase_id: completed })
        await announce({
          ...{ customer_id, purchase_id: rejected },
          ...{ status: 'REJECTED', reason: 'out_of_stock' },
        })
      }
      const stored = (key: string) =>
        account.query(`SELECT key FROM outbox WHERE key LIKE '${key}%' AND sent_at IS NOT NULL`)
      await waitFor('both mails to be on their way', async () => {
        const rows = await Promise.all([completed, rejected].map(stored))
        return rows.every(({ length }) => length === 1)
      })
      await announce({ customer_id, purchase_id: cancelled, status: 'CANCELLED' })

      await waitFor('the last mail', async () =>
        (await mailsTo(email)).some(({ subject }) => subject === 'Your purchase is cancelled'),
      )
      const mails = (await mailsTo(email)).slice(1)

      assert.deepEqual(mails.map(({ subject }) => subject).sort(), [
        'Your purchase could not be made',
        'Your purchase is cancelled',
        'Your purchase is complete',
      ])
      const [last] = mails.slice(-1)
      assert.match(last?.text ?? '', new RegExp(`^Hello Nam,[^]*${cancelled}`))
      const refusal = mails.find(({ text }) => text.includes(rejected))
      assert.match(refusal?.text ?? '', /not enough of it in stock/)
    })
  })

  it('tell the operator once of a purchase that needs attention', async () => {
    const purchase_id = randomUUID()
    const subject = `Purchase ${purchase_id} needs attention`
    const flag = (reason: 'undo_poisoned' | 'undo_stuck') =>
      sendEvent(kafka.publish, 'attentionNeeded', {
        purchase_id,
        steps: ['refund-payment'],
        reason,
      })
    await flag('undo_stuck')
    await flag('undo_poisoned')
    const about = async () =>
      (await mailsTo('operator@example.com')).filter((mail) => mail.subject === subject)

    const [mail] = await waitFor('the mail', async () => {
      const mails = await about()
      return mails.length > 0 ? mails : undefined
    })

    assert.match(mail?.text ?? '', /refund-payment/)
    assert.equal((await about()).length, 1)
  })

  it('are safe whatever a customer is called', async () => {
    const script = await registered({ first_name: '<script>alert("1")</script>' })
    const lines = await registered({
      first_name: 'An\r\nBcc: victim@example.com',
      last_name: 'x\r\n.\r\nMAIL FROM:<a@example.com>',
    })
    const link = await registered({ first_name: 'You won! https://evil.example' })

    const [scriptMail] = await mailsTo(script.email)
    const [linesMail] = await mailsTo(lines.email)
    const [linkMail] = await mailsTo(link.email)

    assert.ok(!scriptMail?.html.includes('<script'))
    assert.match(scriptMail?.html ?? '', /Hello &lt;script&gt;alert\(&quot;1&quot;\)/)
    assert.deepEqual(
      linesMail?.to.map(({ address }) => address),
      [lines.email],
    )
    assert.equal(linesMail?.headers.bcc, undefined)
    assert.match(linesMail?.text ?? '', /^Hello,\n/)
    for (const part of [linkMail?.text, linkMail?.html]) assert.ok(!part?.includes('evil'))
    assert.deepEqual(await mailsTo('victim@example.com'), [])
  })

  it('wait for a mail server that is away, and then come once each, in their order', async () => {
    proxy.cut()
    const customers = await Promise.all([account.register(), account.register()])
    for (const { email } of customers) await account.post('/password/forgot', { email })
    for (const { email } of customers) await account.post('/verify/resend', { email })
    await waitFor('the outbox to be empty', async () => {
      const rows = await account.query('SELECT 1 FROM outbox WHERE sent_at IS NULL')
      return rows.length === 0
    })
    for (const { email } of customers) assert.deepEqual(await mailsTo(email), [])
    proxy.heal()

    for (const { email } of customers) {
      await waitForMails(email, 3)
      await account.post('/verify/resend', { email })
      const mails = await waitForMails(email, 4)
      assert.deepEqual(
        mails.map(({ subject }) => subject),
        [
          'Your verification code',
          'Your code for a new password',
          'Your verification code',
          'Your verification code',
        ],
      )
      assert.equal(new Set(mails.map(({ headers }) => headers['message-id'])).size, 4)
    }
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { sendEvent } from '../../shared/messaging/messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { mailsTo, waitForMails } from '../../test/helpers/mailbox.ts'
import { type Mailing, openMailing } from '../../test/helpers/mailing.ts'

describe('mails', () => {
  let shop: Mailing

  before(async () => {
    shop = await openMailing()
  })

  after(() => shop.close())

  describe('about a purchase', () => {
    const announce = (ended: Partial<PurchaseEnded>) =>
      sendEvent(shop.kafka.publish, 'purchaseEnded', {
        purchase_id: randomUUID(),
        customer_id: null,
        status: 'COMPLETED',
        reason: null,
        failed_step: null,
        ...ended,
      })

    it('are sent once each, however often its end is announced, and in their order', async () => {
      const { email, pair } = await shop.registered({ first_name: 'Nam' })
      const { account_id: customer_id } = await shop.account.authenticate(pair.access_token)
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
        shop.account.query(
          `SELECT key FROM outbox WHERE key LIKE '${key}%' AND sent_at IS NOT NULL`,
        )
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
      sendEvent(shop.kafka.publish, 'attentionNeeded', {
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
    const script = await shop.registered({ first_name: '<script>alert("1")</script>' })
    // New addresses like this are refused, but an older version stored it.
    const lines = await shop.registered()
    await shop.account.query(
      `UPDATE accounts SET first_name = E'An\\r\\nBcc: victim@example.com' WHERE email = '${lines.email}'`,
    )
    await shop.account.post('/verify/resend', { email: lines.email })
    const link = await shop.registered({ first_name: 'You won! https://evil.example' })

    const [scriptMail] = await mailsTo(script.email)
    const [, linesMail] = await waitForMails(lines.email, 2)
    const [linkMail] = await mailsTo(link.email)

    assert.ok(!scriptMail?.html.includes('<script'))
    assert.match(scriptMail?.html ?? '', /Hello &lt;script&gt;alert\(&quot;1&quot;\)/)
    assert.deepEqual(
      linesMail?.to.map(({ address }) => address),
      [lines.email],
    )
    assert.equal(linesMail?.headers.bcc, undefined)
    assert.match(linesMail?.text ?? '', /^Hello,\n/)
    await assert.rejects(shop.account.register({ first_name: 'An\r\nBcc: x' }), /^Error: 400/)
    for (const part of [linkMail?.text, linkMail?.html]) assert.ok(!part?.includes('evil'))
    assert.deepEqual(await mailsTo('victim@example.com'), [])
  })

  it('wait while the mail server is unavailable, and then come once each, in their order', async () => {
    shop.proxy.cut()
    const customers = await Promise.all([shop.account.register(), shop.account.register()])
    for (const { email } of customers) await shop.account.post('/password/forgot', { email })
    for (const { email } of customers) await shop.account.post('/verify/resend', { email })
    await waitFor('the outbox to be empty', async () => {
      const rows = await shop.account.query('SELECT 1 FROM outbox WHERE sent_at IS NULL')
      return rows.length === 0
    })
    for (const { email } of customers) assert.deepEqual(await mailsTo(email), [])
    shop.proxy.heal()

    for (const { email } of customers) {
      await waitForMails(email, 3)
      await shop.account.post('/verify/resend', { email })
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

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import dns from 'node:dns'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { isOutage } from '../../shared/database/failures.ts'
import { PoisonError } from '../../shared/messaging/poison.ts'
import { createSeal } from '../../shared/runtime/seal.ts'
import { testSealingKeys } from '../../test/helpers/tokens.ts'
import { createSender } from './sender.ts'
import { connectTransport, RefusedForNowError } from './transport.ts'

/** Answers to SMTP commands that differ from "yes"; `close` hangs up instead. */
type Answers = Partial<Record<'MAIL' | 'RCPT' | 'DATA' | '.', string>>

/** A mail server that says what a test wants it to say, and counts the mails that it was given. */
async function startSmtpServer(answers: Answers, host = '127.0.0.1', port = 0) {
  const sockets = new Set<Socket>()
  let received = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    const say = (line: string) => socket.write(`${line}\r\n`)
    let inData = false
    say('220 test')
    const lines = createInterface(socket)
    // It repeats the errors of its socket: a client that hangs up may reset the connection.
    lines.on('error', () => undefined)
    lines.on('line', (line) => {
      if (inData && line !== '.') return
      const command = inData ? '.' : (line.split(' ')[0]?.toUpperCase() ?? '')
      if (command === '.') received++
      inData = command === 'DATA' && answers.DATA === undefined
      const answer = answers[command as keyof Answers]
      if (answer === 'close') socket.destroy()
      else say(answer ?? (inData ? '354 go on' : '250 ok'))
    })
  }).listen(port, host)
  await once(server, 'listening')
  return {
    url: `smtp://${host}:${(server.address() as AddressInfo).port}`,
    received: () => received,
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

describe('a mail', () => {
  const open = new AsyncDisposableStack()
  after(() => open.disposeAsync())

  async function senderTo(answers: Answers) {
    const server = open.adopt(await startSmtpServer(answers), (it) => it.close())
    const from = 'Shop <shop@example.com>'
    const transport = open.adopt(
      connectTransport({ SMTP_URL: server.url, MAIL_FROM: from }),
      (it) => it.close(),
    )
    const sender = createSender({
      transport,
      seal: createSeal(testSealingKeys),
      from,
      logger: pino({ level: 'silent' }),
    })
    return { ...sender, received: server.received }
  }

  const aMail = (): EmailRequested => ({
    key: `${randomUUID()}/purchase-completed`,
    to: 'an@example.com',
    template: 'purchase-completed',
    data: { first_name: 'An', purchase_id: randomUUID() },
  })
  const hoursAgo = (hours: number) => Date.now() - hours * 60 * 60_000

  it('that was sent is not sent again when it is asked for again', async () => {
    const sender = await senderTo({})
    const mail = aMail()

    await sender.send(mail, Date.now())
    await sender.send(mail, Date.now())
    await sender.send(aMail(), Date.now())

    assert.equal(sender.received(), 2)
  })

  it('goes to the address that the mail server has after its restart', async () => {
    const before = await startSmtpServer({}, '127.0.0.1')
    const { port } = new URL(before.url)
    const after = open.adopt(await startSmtpServer({}, '127.0.0.2', Number(port)), (it) =>
      it.close(),
    )
    let address = '127.0.0.1'
    const { lookup } = dns
    const answer = (
      _host: string,
      options: { all?: boolean },
      done: (...args: unknown[]) => void,
    ) => (options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4))
    dns.lookup = answer as typeof dns.lookup
    const transport = connectTransport({
      SMTP_URL: `smtp://mail-server.invalid:${port}`,
      MAIL_FROM: 'shop@example.com',
    })
    const email = { messageId: '1', to: 'an@example.com', subject: 's', text: 't', html: 'h' }
    try {
      await transport.send(email)
      before.close()
      address = '127.0.0.2'
      // The connection that was open fails its mail, which the caller sends again.
      await transport.send(email).catch(() => transport.send(email))
    } finally {
      transport.close()
      dns.lookup = lookup
    }

    assert.equal(before.received(), 1)
    assert.equal(after.received(), 1)
  })

  for (const answers of [{ RCPT: '550 no such user' }, { '.': '554 not this' }]) {
    it(`is dropped at once when the server answers ${JSON.stringify(answers)}`, async () => {
      const sender = await senderTo(answers)

      await assert.rejects(sender.send(aMail(), Date.now()), PoisonError)
    })
  }

  it('is retried when the mailbox is full, for an hour at most', async () => {
    const sender = await senderTo({ RCPT: '452 mailbox full' })

    await assert.rejects(sender.send(aMail(), Date.now()), RefusedForNowError)
    await assert.rejects(sender.send(aMail(), hoursAgo(2)), PoisonError)
  })

  for (const answers of [{ MAIL: '550 who are you' }, { MAIL: 'close' }, { '.': 'close' }]) {
    it(`is tried for ever when the server answers ${JSON.stringify(answers)}`, async () => {
      const sender = await senderTo(answers)

      await assert.rejects(
        sender.send(aMail(), hoursAgo(48)),
        (error: Error) => !(error instanceof PoisonError) && isOutage(error),
      )
    })
  }

  describe('with a code', () => {
    const texts: string[] = []
    const logged: string[] = []
    const { send } = createSender({
      transport: { send: async ({ text, html }) => void texts.push(text, html) },
      seal: createSeal(testSealingKeys),
      from: 'shop@example.com',
      logger: pino({}, { write: (line) => void logged.push(line) }),
    })
    const withCode = (codeOf: (key: string) => string): EmailRequested => {
      const key = `${randomUUID()}/reset-password`
      const data = { first_name: 'An', code: codeOf(key), minutes: 10 }
      return { key, to: 'an@example.com', template: 'reset-password', data }
    }
    const sealedBy = (keys: string[]) => (key: string) => createSeal(keys).seal('123456', key)

    beforeEach(() => {
      texts.length = 0
      logged.length = 0
    })

    it('shows it, and shows it to nobody but its reader', async () => {
      await send(withCode(sealedBy(testSealingKeys)), Date.now())

      for (const text of texts) assert.match(text, /\b123456\b/)
      assert.equal(texts.length, 2)
      assert.doesNotMatch(logged.join(), /123456/)
    })

    it('is sent as it is when an older account asked for it, in clear', async () => {
      await send(
        withCode(() => '123456'),
        Date.now(),
      )

      assert.match(texts[0] ?? '', /\b123456\b/)
    })

    it('is dropped when no key opens it, or when it was sealed for another mail', async () => {
      const foreign = ['x'.repeat(43)]
      const moved = createSeal(testSealingKeys).seal('123456', 'another mail')

      await assert.rejects(send(withCode(sealedBy(foreign)), Date.now()), PoisonError)
      await assert.rejects(
        send(
          withCode(() => moved),
          Date.now(),
        ),
        PoisonError,
      )
      assert.deepEqual(texts, [])
    })
  })

  it('names its purchase in the log', async () => {
    const logged: string[] = []
    const { send } = createSender({
      transport: { send: async () => undefined },
      seal: createSeal(testSealingKeys),
      from: 'shop@example.com',
      logger: pino({}, { write: (line) => void logged.push(line) }),
    })
    const mail = aMail()

    await send(mail, Date.now())

    const { msg, purchase_id } = JSON.parse(logged[0] ?? '')
    assert.equal(msg, 'e-mail sent')
    assert.equal(purchase_id, 'purchase_id' in mail.data && mail.data.purchase_id)
  })

  it('is attempted once per call, so that the caller can count retries', async () => {
    const sender = await senderTo({ '.': 'close' })

    await assert.rejects(sender.send(aMail(), Date.now()))

    assert.equal(sender.received(), 1)
  })
})

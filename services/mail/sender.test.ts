import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { pino } from 'pino'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { isDeterministic, PoisonError } from '../../shared/faults.ts'
import { createSender } from './sender.ts'
import { connectTransport, RefusedForNowError } from './transport.ts'

/** Answers to SMTP commands that differ from "yes"; `close` hangs up instead. */
type Answers = Partial<Record<'MAIL' | 'RCPT' | 'DATA' | '.', string>>

/** A mail server that says what a test wants it to say, and counts the mails that it was given. */
async function startSmtpServer(answers: Answers) {
  const sockets = new Set<Socket>()
  let received = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    const say = (line: string) => socket.write(`${line}\r\n`)
    let inData = false
    say('220 test')
    createInterface(socket).on('line', (line) => {
      if (inData && line !== '.') return
      const command = inData ? '.' : (line.split(' ')[0]?.toUpperCase() ?? '')
      if (command === '.') received++
      inData = command === 'DATA' && answers.DATA === undefined
      const answer = answers[command as keyof Answers]
      if (answer === 'close') socket.destroy()
      else say(answer ?? (inData ? '354 go on' : '250 ok'))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
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
    const sender = createSender({ transport, from, logger: pino({ level: 'silent' }) })
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

  for (const answers of [{ RCPT: '550 no such user' }, { '.': '554 not this' }]) {
    it(`is given up at once when the server answers ${JSON.stringify(answers)}`, async () => {
      const sender = await senderTo(answers)

      await assert.rejects(sender.send(aMail(), Date.now()), PoisonError)
    })
  }

  it('is tried again when the mailbox is full, but not for longer than an hour', async () => {
    const sender = await senderTo({ RCPT: '452 mailbox full' })

    await assert.rejects(sender.send(aMail(), Date.now()), RefusedForNowError)
    await assert.rejects(sender.send(aMail(), hoursAgo(2)), PoisonError)
  })

  for (const answers of [{ MAIL: '550 who are you' }, { MAIL: 'close' }, { '.': 'close' }]) {
    it(`is tried for ever when the server answers ${JSON.stringify(answers)}`, async () => {
      const sender = await senderTo(answers)

      await assert.rejects(
        sender.send(aMail(), hoursAgo(48)),
        (error: Error) => !(error instanceof PoisonError) && !isDeterministic(error),
      )
    })
  }

  it('is handed over by one attempt each, for whoever retries to count', async () => {
    const sender = await senderTo({ '.': 'close' })

    await assert.rejects(sender.send(aMail(), Date.now()))

    assert.equal(sender.received(), 1)
  })
})

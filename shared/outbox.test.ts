import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { PrismaClient } from '../prisma/account/client/client.ts'
import { waitFor } from '../scripts/wait-for.ts'
import { createTestDatabase, type TestDatabase } from '../test/helpers/database.ts'
import type { EmailRequested } from './contracts/mail.ts'
import { AppError } from './errors.ts'
import type { Publish } from './messages.ts'
import { addToOutbox, startRelay } from './outbox.ts'
import { connectDatabase } from './prisma.ts'

describe('the outbox', () => {
  const open = new AsyncDisposableStack()
  let database: TestDatabase
  let prisma: PrismaClient

  before(async () => {
    database = open.adopt(await createTestDatabase('account'), (it) => it.close())
    const config = { DATABASE_URL: database.url, DATABASE_POOL_SIZE: 6 }
    prisma = open.adopt(await connectDatabase(PrismaClient, config), (it) => it.$disconnect())
  })

  beforeEach(() => database.query('DELETE FROM outbox'))
  after(() => open.disposeAsync())

  const aMail = (overrides: object = {}): EmailRequested => ({
    key: randomUUID(),
    to: 'an@example.com',
    template: 'purchase-completed',
    data: { first_name: 'An', purchase_id: randomUUID() },
    ...overrides,
  })
  const add = async (mail: EmailRequested) => {
    const added = await addToOutbox(prisma, 'emailRequested', [{ key: mail.key, body: mail }])
    return added.has(mail.key)
  }

  /** A relay to somewhere that remembers the keys it was given. */
  async function relayTo(publish: Publish) {
    const inTransaction: Parameters<typeof startRelay>[0]['inTransaction'] = (work) =>
      prisma.$transaction(work)
    const logger = pino({ level: 'silent' })
    return startRelay({ inTransaction, publish, logger })
  }
  const remembering =
    (keys: string[]): Publish =>
    async (topic, message) => {
      assert.equal(topic, 'emails')
      assert.equal(message.key, 'an@example.com')
      assert.deepEqual(message.headers, { event: 'emailRequested' })
      keys.push(JSON.parse(message.value).key)
    }
  const unsent = async () =>
    (await database.query('SELECT 1 FROM outbox WHERE sent_at IS NULL')).length

  it('holds what its transaction committed, once per key', async () => {
    const mail = aMail()

    await assert.rejects(
      prisma.$transaction(async (tx) => {
        await addToOutbox(tx, 'emailRequested', [{ key: mail.key, body: mail }])
        throw new Error('rolled back')
      }),
      /rolled back/,
    )
    assert.equal(await unsent(), 0)
    assert.equal(await add(mail), true)
    assert.equal(await add(mail), false)
    assert.equal(await unsent(), 1)
  })

  it('takes nothing that its consumers could not read', async () => {
    await assert.rejects(add(aMail({ to: 'an@example.com\r\nBcc: b@example.com' })))
    assert.equal(await unsent(), 0)
  })

  it('is published in its order and once, by however many relays', async () => {
    const mails = Array.from({ length: 250 }, () => aMail())
    for (const mail of mails) await add(mail)
    const keys: string[] = []

    const relays = await Promise.all([1, 2, 3].map(() => relayTo(remembering(keys))))
    for (const relay of relays) relay.nudge()
    await waitFor('all to be sent', async () => (await unsent()) === 0)
    await Promise.all(relays.map((relay) => relay.close()))

    assert.deepEqual(
      keys,
      mails.map(({ key }) => key),
    )
  })

  it('waits while Kafka is away', async () => {
    const [first, second] = [aMail(), aMail()]
    await add(first)
    const keys: string[] = []
    let away = true
    const relay = await relayTo(async (...args) => {
      if (away) throw new AppError('unavailable', 'Kafka does not take messages')
      await remembering(keys)(...args)
    })

    relay.nudge()
    await add(second)
    relay.nudge()
    away = false
    await waitFor('all to be sent', async () => (await unsent()) === 0)
    await relay.close()

    assert.deepEqual(keys, [first.key, second.key])
  })

  it('forgets what it has sent but for the key', async () => {
    const mail = aMail()
    await add(mail)
    const relay = await relayTo(async () => undefined)

    relay.nudge()
    await waitFor('it to be sent', async () => (await unsent()) === 0)
    await relay.close()

    const [row] = await database.query('SELECT payload FROM outbox')
    assert.deepEqual(row, { payload: null })
    assert.equal(await add(mail), false)
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { PrismaClient } from '../../prisma/account/client/client.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import type { EmailRequested } from '../contracts/mail.ts'
import { connectDatabase } from '../database/prisma.ts'
import { AppError } from '../runtime/errors.ts'
import { waitFor } from '../runtime/wait-for.ts'
import type { Publish } from './bus.ts'
import { addToOutbox, createOutboxBacklog, startRelay } from './outbox.ts'

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

  it('refuses an event that its consumers could not read', async () => {
    await assert.rejects(add(aMail({ to: 'an@example.com\r\nBcc: b@example.com' })))
    assert.equal(await unsent(), 0)
  })

  it('is published in order and once, by any number of relays', async () => {
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

  it('waits while Kafka is unavailable', async () => {
    const [first, second] = [aMail(), aMail()]
    await add(first)
    const keys: string[] = []
    let down = true
    const relay = await relayTo(async (...args) => {
      if (down) throw new AppError('unavailable', 'Kafka does not take messages')
      await remembering(keys)(...args)
    })

    relay.nudge()
    await add(second)
    relay.nudge()
    down = false
    await waitFor('all to be sent', async () => (await unsent()) === 0)
    await relay.close()

    assert.deepEqual(keys, [first.key, second.key])
  })

  it('shows how much waits, and for how long', async () => {
    const registry = new Registry()
    const show = createOutboxBacklog({
      inTransaction: (work) => prisma.$transaction((tx) => work(tx)),
      registry,
    })
    const shown = async () => {
      await show()
      const metrics = await registry.getMetricsAsJSON()
      return metrics.map(({ values }) => Math.round(Number(values[0]?.value)))
    }

    assert.deepEqual(await shown(), [0, 0])
    await add(aMail())
    await add(aMail())
    await database.query(`UPDATE outbox SET created_at = now() - interval '90 s'`)
    const [unsent, oldest = 0] = await shown()

    assert.equal(unsent, 2)
    assert.ok(oldest >= 90 && oldest < 150, `${oldest}`)
  })

  it('is not held up by an event that Kafka always rejects', async () => {
    const [large, small] = [aMail(), aMail()]
    await add(large)
    await add(small)
    const keys: string[] = []
    const relay = await relayTo(async (...args) => {
      if (args[1].value.includes(large.key)) throw new AppError('too_large', 'no')
      await remembering(keys)(...args)
    })

    relay.nudge()
    await waitFor('all to be done', async () => (await unsent()) === 0)
    await relay.close()

    assert.deepEqual(keys, [small.key])
    const [row] = await database.query(`SELECT payload FROM outbox WHERE key = '${large.key}'`)
    assert.deepEqual(row?.payload, large)
  })

  it('leaves an event of a later version to it', async () => {
    await database.query(
      `INSERT INTO outbox (event, key, payload) VALUES ('parcelSent', 'of-a-later-version', '{}')`,
    )
    await add(aMail())
    const relay = await relayTo(async () => undefined)

    relay.nudge()
    await waitFor('the one that is known', async () => (await unsent()) === 1)
    await relay.close()
  })

  it('is read in batches of a bounded number of bytes', async () => {
    await database.query(
      `INSERT INTO outbox (event, key, payload)
       SELECT 'emailRequested', n::text, jsonb_build_object('key', n::text, 'to', 'an@example.com', 'x', repeat('x', 400000))
       FROM generate_series(1, 5) n`,
    )
    const batches: string[][] = []
    const relay = startRelay({
      inTransaction: (work) => {
        batches.push([])
        return prisma.$transaction(work)
      },
      publish: async (_, { value }) => void batches.at(-1)?.push(JSON.parse(value).key),
      logger: pino({ level: 'silent' }),
    })

    relay.nudge()
    await waitFor('all to be sent', async () => (await unsent()) === 0)
    await relay.close()

    assert.deepEqual(
      batches.filter(({ length }) => length > 0),
      [['1', '2'], ['3', '4'], ['5']],
    )
  })

  it('purges what it has sent except the key', async () => {
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

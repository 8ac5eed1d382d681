import assert from 'node:assert/strict'
import { Client } from 'pg'
import { pino } from 'pino'
import { waitFor } from '../../scripts/wait-for.ts'
import { type AnyReply, type CommandName, commands } from '../../shared/contracts/commands.ts'
import { commandId, newId, purchaseWorkflowId, traceparent } from '../../shared/ids.ts'
import type { Running } from '../../shared/lifecycle.ts'
import { createTestDatabase, type TestDatabase } from '../helpers/database.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'
import { createTestTopics, type StoredMessage } from '../helpers/topics.ts'
import { pairs } from './pairs.ts'

const undone = { outcome: 'rejected', reason: 'undone' }
const expired = { outcome: 'rejected', reason: 'expired' }
const invalid = { outcome: 'rejected', reason: 'invalid' }
const concurrency = 4

/** What a test may say differently of a command. */
type Wording = { key?: string; headers?: Record<string, string>; value?: string }

function buildCommand(name: CommandName, purchaseId: string, body: object, wording: Wording) {
  const { step } = commands[name]
  const headers = {
    command: name,
    command_id: commandId(purchaseId, step),
    purchase_id: purchaseId,
    workflow_id: purchaseWorkflowId(purchaseId),
    run_id: newId(),
    activity_id: step,
    traceparent: traceparent(purchaseId),
    ...wording.headers,
  }
  return {
    key: wording.key ?? purchaseId,
    headers,
    value: wording.value ?? JSON.stringify(body),
  }
}

function outcomes(replies: AnyReply[]): string[] {
  return replies.map(({ outcome }) => outcome)
}

it('every command of the contract is in the table of pairs, each undo with its do', () => {
  const named = pairs.flatMap((pair) => [pair.do, pair.undo])
  assert.deepEqual(named.sort(), Object.keys(commands).sort())
  for (const pair of pairs) assert.equal(commands[pair.undo].undoes, pair.do)
})

for (const pair of pairs) {
  const { topic } = commands[pair.do]

  describe(`${pair.do} and ${pair.undo}`, () => {
    const open = new AsyncDisposableStack()
    const log: string[] = []
    let database: TestDatabase
    let proxy: Awaited<ReturnType<typeof createTcpProxy>>
    let startService: () => Promise<Running>
    let service: Running
    let senders: Awaited<ReturnType<typeof connectSenders>>
    let replies: StoredMessage[]
    let deadLetters: StoredMessage[]

    before(async () => {
      database = open.adopt(await createTestDatabase(pair.database), (it) => it.close())
      const { hostname, port } = new URL(database.url)
      proxy = open.adopt(await createTcpProxy({ host: hostname, port: Number(port) }), (it) =>
        it.close(),
      )
      const topics = open.adopt(await createTestTopics(), (it) => it.close())
      senders = await connectSenders(topics)
      replies = await topics.read('replies')
      deadLetters = await topics.read('dead-letters')

      const url = new URL(database.url)
      url.port = String(proxy.port)
      const connections = {
        ...topics.config,
        CONSUMER_CONCURRENCY: concurrency,
        DATABASE_URL: url.href,
        DATABASE_POOL_SIZE: 10,
      }
      const logger = pino({ level: 'warn' }, { write: (line: string) => void log.push(line) })
      startService = () => pair.start(connections, logger)
      service = await startService()
    })

    after(async () => {
      await service?.close()
      await open.disposeAsync()
    })

    /** Two connections: what goes over one has no order with what goes over the other. */
    async function connectSenders(topics: Awaited<ReturnType<typeof createTestTopics>>) {
      const [one, other] = [await topics.connectProducer(), await topics.connectProducer()]
      return { one, other }
    }

    function repliesTo(runId: string): AnyReply[] {
      return replies
        .filter(({ headers }) => headers.run_id === runId)
        .map(({ value }) => JSON.parse(value))
    }

    /** Sends a command as its saga would, and answers with the run id that its reply carries. */
    async function send(
      name: CommandName,
      purchaseId: string,
      body: object = {},
      { sender = senders.one, ...wording }: Wording & { sender?: typeof senders.one } = {},
    ): Promise<string> {
      const command = buildCommand(name, purchaseId, body, wording)
      await sender(topic, command)
      return command.headers.run_id
    }

    function replyTo(runId: string): Promise<AnyReply> {
      return waitFor(`the reply of ${topic}`, () => repliesTo(runId)[0])
    }

    const ask = async (...args: Parameters<typeof send>) => replyTo(await send(...args))

    async function buildPurchase() {
      return { id: newId(), body: await pair.setUp(database) }
    }

    async function assertDone({ id, body }: { id: string; body: object }) {
      const effect = await pair.effect(database, id, body)
      assert.ok(effect.length > 0 && effect.every((n) => n === 1), `done once: ${effect}`)
    }

    async function assertNotDone({ id, body }: { id: string; body: object }) {
      const effect = await pair.effect(database, id, body)
      assert.ok(effect.length > 0 && effect.every((n) => n === 0), `not done: ${effect}`)
    }

    it('does once what is asked twice, and answers both times the same', async () => {
      const purchase = await buildPurchase()
      const first = await ask(pair.do, purchase.id, purchase.body)
      const second = await ask(pair.do, purchase.id, purchase.body)

      assert.equal(first.outcome, 'done')
      assert.deepEqual(second, first)
      await assertDone(purchase)
    })

    it('does once what is asked twice at the same moment', async () => {
      const purchase = await buildPurchase()
      const answers = await Promise.all(
        [senders.one, senders.other].map((sender) =>
          ask(pair.do, purchase.id, purchase.body, { sender, key: newId() }),
        ),
      )

      assert.deepEqual(outcomes(answers), ['done', 'done'])
      await assertDone(purchase)
    })

    it('answers a repeat with the reply that it stored', async () => {
      const { id, body } = await buildPurchase()
      await ask(pair.do, id, body)
      const stored = { outcome: 'rejected', reason: 'out_of_stock' }
      await database.query(
        `UPDATE inbox SET reply = '${JSON.stringify(stored)}'
        WHERE command_id = '${commandId(id, commands[pair.do].step)}'`,
      )

      assert.deepEqual(await ask(pair.do, id, body), stored)
    })

    it('answers with all that leads the reply to the activity that waits for it', async () => {
      const { id, body } = await buildPurchase()
      const deadline = String(Date.now() + 60_000)
      const command = buildCommand(pair.do, id, body, { headers: { deadline } })
      await senders.one(topic, command)
      await replyTo(command.headers.run_id)

      const reply = replies.find(({ headers }) => headers.run_id === command.headers.run_id)
      const { deadline: _, ...headers } = command.headers as Record<string, string>
      assert.deepEqual(reply?.headers, headers)
      assert.equal(reply?.key, id)
    })

    it('undoes it, once', async () => {
      const purchase = await buildPurchase()
      await ask(pair.do, purchase.id, purchase.body)

      assert.deepEqual(await ask(pair.undo, purchase.id), { outcome: 'done' })
      assert.deepEqual(await ask(pair.undo, purchase.id), { outcome: 'done' })
      await assertNotDone(purchase)
    })

    it('refuses to do it again after its undo', async () => {
      const purchase = await buildPurchase()
      await ask(pair.do, purchase.id, purchase.body)
      await ask(pair.undo, purchase.id)

      assert.deepEqual(await ask(pair.do, purchase.id, purchase.body), undone)
      await assertNotDone(purchase)
    })

    it('refuses a do that comes after its undo', async () => {
      const purchase = await buildPurchase()

      assert.deepEqual(await ask(pair.undo, purchase.id), { outcome: 'done' })
      assert.deepEqual(await ask(pair.do, purchase.id, purchase.body), undone)
      await assertNotDone(purchase)
    })

    it('leaves nothing of a do and an undo that come at the same moment', async () => {
      const purchases = await Promise.all(Array.from({ length: 12 }, buildPurchase))
      const race = async ({ id, body }: (typeof purchases)[number], index: number) => {
        const theDo = { sender: senders.one, key: newId() }
        const theUndo = { sender: senders.other, key: newId() }
        const both = [() => ask(pair.do, id, body, theDo), () => ask(pair.undo, id, {}, theUndo)]
        if (index % 2 === 1) both.reverse()
        const answers = await Promise.all(both.map((run) => run()))
        return index % 2 === 1 ? answers.reverse() : answers
      }

      for (const [did, undid] of await Promise.all(purchases.map(race))) {
        assert.ok(did?.outcome === 'done' || did?.reason === 'undone', JSON.stringify(did))
        assert.deepEqual(undid, { outcome: 'done' })
      }
      for (const purchase of purchases) await assertNotDone(purchase)
    })

    it('refuses an expired do, and still when it is asked again with more time', async () => {
      const purchase = await buildPurchase()
      const deadlines = [Date.now() - 1, Date.now() + 60_000]
      for (const deadline of deadlines) {
        const headers = { deadline: String(deadline) }
        assert.deepEqual(await ask(pair.do, purchase.id, purchase.body, { headers }), expired)
      }
      await assertNotDone(purchase)
      assert.deepEqual(await ask(pair.undo, purchase.id), { outcome: 'done' })
      await assertNotDone(purchase)
    })

    it('undoes it however late that is', async () => {
      const purchase = await buildPurchase()
      await ask(pair.do, purchase.id, purchase.body)
      const headers = { deadline: String(Date.now() - 60_000) }

      assert.deepEqual(await ask(pair.undo, purchase.id, {}, { headers }), { outcome: 'done' })
      await assertNotDone(purchase)
    })

    describe('a message that nobody can handle', () => {
      const garbage: Record<string, { name: CommandName; wording: Wording; reply?: object }> = {
        'a do that is not JSON': { name: pair.do, wording: { value: '{' }, reply: invalid },
        'a do with another body': { name: pair.do, wording: { value: '{"x":1}' }, reply: invalid },
        'an undo with another body': { name: pair.undo, wording: { value: '{"x":1}' } },
        'a command of nobody': { name: pair.do, wording: { headers: { command: 'toString' } } },
        'a command without an id': { name: pair.do, wording: { headers: { command_id: '' } } },
        'a purchase that is none': { name: pair.do, wording: { headers: { purchase_id: 'x' } } },
      }

      for (const [what, { name, wording, reply }] of Object.entries(garbage)) {
        it(`is dead-lettered as it came: ${what}`, async () => {
          const bad = await buildPurchase()
          const good = await buildPurchase()
          const command = buildCommand(name, bad.id, bad.body, wording)
          const sent = await senders.one(topic, { ...command, partition: 0 })
          const next = buildCommand(pair.do, good.id, good.body, {})
          await senders.one(topic, { ...next, key: command.key, partition: 0 })

          assert.equal((await replyTo(next.headers.run_id)).outcome, 'done')
          const letter = await waitFor('the dead letter', () =>
            deadLetters.find(({ headers }) => headers.run_id === command.headers.run_id),
          )
          const { dead_letter_error, dead_letter_time: _, ...headers } = letter.headers
          assert.match(dead_letter_error ?? '', /^PoisonError: ./)
          assert.deepEqual(headers, {
            ...command.headers,
            dead_letter_group: topic,
            dead_letter_topic: topic,
            dead_letter_partition: String(sent.partition),
            dead_letter_offset: sent.offset,
          })
          assert.deepEqual([letter.key, letter.value], [command.key, command.value])
          assert.deepEqual(repliesTo(command.headers.run_id), reply ? [reply] : [])
          await assertNotDone(bad)
        })
      }
    })

    describe('while the database is away', () => {
      const retries = () => log.filter((line) => line.includes('message will be tried again'))

      afterEach(() => proxy.heal())

      it('a command waits, and is done when it is back', async function () {
        // Six tries with growing pauses, each behind the pool's own time limit on a busy machine.
        this.timeout(60_000)
        const [before, after] = [await buildPurchase(), await buildPurchase()]
        await ask(pair.do, before.id, before.body)
        const [lettersSoFar, retriesSoFar] = [deadLetters.length, retries().length]

        proxy.cut()
        const sent = [await send(pair.do, after.id, after.body), await send(pair.undo, before.id)]
        await waitFor('some tries', () => retries().length >= retriesSoFar + 6)
        assert.deepEqual(sent.flatMap(repliesTo), [])
        proxy.heal()

        assert.deepEqual(outcomes(await Promise.all(sent.map(replyTo))), ['done', 'done'])
        assert.equal(deadLetters.length, lettersSoFar)
        await assertDone(after)
        await assertNotDone(before)
      })

      it('what was under way is done once when it is asked again', async () => {
        const purchases = await Promise.all(Array.from({ length: 20 }, buildPurchase))
        const lettersSoFar = deadLetters.length
        const [first = ''] = await Promise.all(
          purchases.map(({ id, body }) => send(pair.do, id, body)),
        )
        await replyTo(first)
        proxy.cut()
        proxy.heal()

        const again = await Promise.all(purchases.map(({ id, body }) => ask(pair.do, id, body)))
        assert.deepEqual(new Set(outcomes(again)), new Set(['done']))
        assert.equal(deadLetters.length, lettersSoFar)
        for (const purchase of purchases) await assertDone(purchase)
      })
    })

    it('closes without losing or repeating what is in flight or waits behind it', async () => {
      const purchases = await Promise.all(Array.from({ length: 40 }, buildPurchase))
      const blocker = new Client({ connectionString: database.url })
      await blocker.connect()
      await blocker.query('BEGIN; LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE')
      const sent = await Promise.all(purchases.map(({ id, body }) => send(pair.do, id, body)))
      await waitFor('commands in flight', async () => {
        const waiting = `SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`
        return (await database.query(waiting)).length === concurrency
      })

      const { port } = service
      const closed = service.close()
      await waitFor('the service to close its doors', () =>
        fetch(`http://127.0.0.1:${port}/health/live`).then(
          () => false,
          () => true,
        ),
      )
      await blocker.end()
      await closed
      const answered = sent.filter((runId) => repliesTo(runId).length > 0).length
      assert.ok(answered < sent.length, 'the second start has nothing left to do')
      service = await startService()

      assert.deepEqual(new Set(outcomes(await Promise.all(sent.map(replyTo)))), new Set(['done']))
      assert.deepEqual(new Set(sent.map((runId) => repliesTo(runId).length)), new Set([1]))
      for (const purchase of purchases) await assertDone(purchase)
    })
  })
}

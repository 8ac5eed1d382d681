import assert from 'node:assert/strict'
import { Client } from 'pg'
import { probeTcp } from '../../scripts/stack/probe.ts'
import { commands } from '../../shared/contracts/commands.ts'
import { commandId, newId } from '../../shared/contracts/ids.ts'
import { type CommandName, doNames, undoOf } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import {
  buildCommand,
  concurrency,
  outcomes,
  type Participant,
  startParticipant,
  type Wording,
} from './participant.ts'

const undone = { outcome: 'rejected', reason: 'undone' }
const expired = { outcome: 'rejected', reason: 'expired' }
const invalid = { outcome: 'rejected', reason: 'invalid' }

for (const theDo of doNames) {
  const pair = { do: theDo, undo: undoOf[theDo] }
  const { topic } = commands[pair.do]

  describe(`${pair.do} and ${pair.undo}`, () => {
    let service: Participant

    before(async () => {
      service = await startParticipant(theDo)
    })

    after(() => service?.close())

    it('does once what is asked twice, and answers both times the same', async () => {
      const purchase = await service.buildPurchase()
      const first = await service.ask(pair.do, purchase.id, purchase.body)
      const second = await service.ask(pair.do, purchase.id, purchase.body)

      assert.equal(first.outcome, 'done')
      assert.deepEqual(second, first)
      await service.assertDone(purchase)
    })

    it('does once what is asked twice at the same moment', async () => {
      const purchase = await service.buildPurchase()
      const answers = await Promise.all(
        [service.senders.one, service.senders.other].map((sender) =>
          service.ask(pair.do, purchase.id, purchase.body, { sender, key: newId() }),
        ),
      )

      assert.deepEqual(outcomes(answers), ['done', 'done'])
      await service.assertDone(purchase)
    })

    it('answers a repeat with the reply that it stored', async () => {
      const { id, body } = await service.buildPurchase()
      await service.ask(pair.do, id, body)
      const stored = { outcome: 'rejected', reason: 'out_of_stock' }
      await service.database.query(
        `UPDATE inbox SET reply = '${JSON.stringify(stored)}'
        WHERE command_id = '${commandId(id, commands[pair.do].step)}'`,
      )

      assert.deepEqual(await service.ask(pair.do, id, body), stored)
    })

    it('answers with all that leads the reply to the activity that waits for it', async () => {
      const { id, body } = await service.buildPurchase()
      const deadline = String(Date.now() + 60_000)
      const command = buildCommand(pair.do, id, body, { headers: { deadline } })
      await service.senders.one(topic, command)
      await service.replyTo(command.headers.run_id)

      const reply = service.replies.find(({ headers }) => headers.run_id === command.headers.run_id)
      const { deadline: _, ...headers } = command.headers as Record<string, string>
      assert.deepEqual(reply?.headers, headers)
      assert.equal(reply?.key, id)
    })

    it('undoes it, once', async () => {
      const purchase = await service.buildPurchase()
      await service.ask(pair.do, purchase.id, purchase.body)

      assert.deepEqual(await service.ask(pair.undo, purchase.id), { outcome: 'done' })
      assert.deepEqual(await service.ask(pair.undo, purchase.id), { outcome: 'done' })
      await service.assertNotDone(purchase)
    })

    it('refuses to do it again after its undo', async () => {
      const purchase = await service.buildPurchase()
      await service.ask(pair.do, purchase.id, purchase.body)
      await service.ask(pair.undo, purchase.id)

      assert.deepEqual(await service.ask(pair.do, purchase.id, purchase.body), undone)
      await service.assertNotDone(purchase)
    })

    it('refuses a do that comes after its undo', async () => {
      const purchase = await service.buildPurchase()

      assert.deepEqual(await service.ask(pair.undo, purchase.id), { outcome: 'done' })
      assert.deepEqual(await service.ask(pair.do, purchase.id, purchase.body), undone)
      await service.assertNotDone(purchase)
    })

    it('leaves nothing of a do and an undo that come at the same moment', async () => {
      const purchases = await Promise.all(Array.from({ length: 12 }, service.buildPurchase))
      const race = async ({ id, body }: (typeof purchases)[number], index: number) => {
        const theDo = { sender: service.senders.one, key: newId() }
        const theUndo = { sender: service.senders.other, key: newId() }
        const both = [
          () => service.ask(pair.do, id, body, theDo),
          () => service.ask(pair.undo, id, {}, theUndo),
        ]
        if (index % 2 === 1) both.reverse()
        const answers = await Promise.all(both.map((run) => run()))
        return index % 2 === 1 ? answers.reverse() : answers
      }

      for (const [did, undid] of await Promise.all(purchases.map(race))) {
        assert.ok(did?.outcome === 'done' || did?.reason === 'undone', JSON.stringify(did))
        assert.deepEqual(undid, { outcome: 'done' })
      }
      for (const purchase of purchases) await service.assertNotDone(purchase)
    })

    it('refuses an expired do, and still when it is asked again with more time', async () => {
      const purchase = await service.buildPurchase()
      const deadlines = [Date.now() - 1, Date.now() + 60_000]
      for (const deadline of deadlines) {
        const headers = { deadline: String(deadline) }
        assert.deepEqual(
          await service.ask(pair.do, purchase.id, purchase.body, { headers }),
          expired,
        )
      }
      await service.assertNotDone(purchase)
      assert.deepEqual(await service.ask(pair.undo, purchase.id), { outcome: 'done' })
      await service.assertNotDone(purchase)
    })

    it('undoes it however late that is', async () => {
      const purchase = await service.buildPurchase()
      await service.ask(pair.do, purchase.id, purchase.body)
      const headers = { deadline: String(Date.now() - 60_000) }

      assert.deepEqual(await service.ask(pair.undo, purchase.id, {}, { headers }), {
        outcome: 'done',
      })
      await service.assertNotDone(purchase)
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
          const bad = await service.buildPurchase()
          const good = await service.buildPurchase()
          const command = buildCommand(name, bad.id, bad.body, wording)
          const sent = await service.senders.one(topic, { ...command, partition: 0 })
          const next = buildCommand(pair.do, good.id, good.body)
          await service.senders.one(topic, { ...next, key: command.key, partition: 0 })

          assert.equal((await service.replyTo(next.headers.run_id)).outcome, 'done')
          const deadLetter = await waitFor('the dead letter', () =>
            service.deadLetters.find(({ headers }) => headers.run_id === command.headers.run_id),
          )
          const { dead_letter_error, dead_letter_time: _, ...headers } = deadLetter.headers
          assert.match(dead_letter_error ?? '', /^PoisonError: ./)
          assert.deepEqual(headers, {
            ...command.headers,
            dead_letter_group: topic,
            dead_letter_topic: topic,
            dead_letter_partition: String(sent.partition),
            dead_letter_offset: sent.offset,
          })
          assert.deepEqual([deadLetter.key, deadLetter.value], [command.key, command.value])
          // It is read by another reader, which may be later.
          if (reply) await service.replyTo(command.headers.run_id)
          assert.deepEqual(service.repliesTo(command.headers.run_id), reply ? [reply] : [])
          await service.assertNotDone(bad)
        })
      }
    })

    describe('while the database is unavailable', () => {
      const retries = () =>
        service.log.filter((line) => line.includes('message will be tried again'))

      afterEach(() => service.proxy.heal())

      it('a command waits, and is done when it is back', async function () {
        // Six tries with growing pauses, each after the pool's own time limit on a busy machine.
        this.timeout(150_000)
        const [before, after] = [await service.buildPurchase(), await service.buildPurchase()]
        await service.ask(pair.do, before.id, before.body)
        const [lettersSoFar, retriesSoFar] = [service.deadLetters.length, retries().length]

        service.proxy.cut()
        const sent = [
          await service.send(pair.do, after.id, after.body),
          await service.send(pair.undo, before.id),
        ]
        await waitFor('some tries', () => retries().length >= retriesSoFar + 6, 90_000)
        assert.deepEqual(sent.flatMap(service.repliesTo), [])
        service.proxy.heal()

        assert.deepEqual(outcomes(await Promise.all(sent.map(service.replyTo))), ['done', 'done'])
        assert.equal(service.deadLetters.length, lettersSoFar)
        await service.assertDone(after)
        await service.assertNotDone(before)
      })

      it('what was under way is done once when it is asked again', async () => {
        const purchases = await Promise.all(Array.from({ length: 20 }, service.buildPurchase))
        const lettersSoFar = service.deadLetters.length
        const [first = ''] = await Promise.all(
          purchases.map(({ id, body }) => service.send(pair.do, id, body)),
        )
        await service.replyTo(first)
        service.proxy.cut()
        service.proxy.heal()

        const again = await Promise.all(
          purchases.map(({ id, body }) => service.ask(pair.do, id, body)),
        )
        assert.deepEqual(new Set(outcomes(again)), new Set(['done']))
        assert.equal(service.deadLetters.length, lettersSoFar)
        for (const purchase of purchases) await service.assertDone(purchase)
      })
    })

    it('closes without losing or repeating messages that are in flight or queued', async () => {
      const purchases = await Promise.all(Array.from({ length: 40 }, service.buildPurchase))
      const blocker = new Client({ connectionString: service.database.url })
      await blocker.connect()
      await blocker.query('BEGIN; LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE')
      const sent = await Promise.all(
        purchases.map(({ id, body }) => service.send(pair.do, id, body)),
      )
      await waitFor('commands in flight', async () => {
        // The sweep of old rows may come and wait too.
        const waiting = `SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE '%looked%'`
        return (await service.database.query(waiting)).length === concurrency
      })

      const running = service.running()
      const closed = running.close()
      // This port is closed last before the consumer: what is queued then stays where it is.
      await waitFor('the service to stop listening', () =>
        probeTcp(running.grpcPort).then(
          () => false,
          () => true,
        ),
      )
      await blocker.end()
      await closed
      const answered = sent.filter((runId) => service.repliesTo(runId).length > 0).length
      assert.ok(answered < sent.length, 'the second start has nothing left to do')
      await service.restart()

      assert.deepEqual(
        new Set(outcomes(await Promise.all(sent.map(service.replyTo)))),
        new Set(['done']),
      )
      assert.deepEqual(new Set(sent.map((runId) => service.repliesTo(runId).length)), new Set([1]))
      for (const purchase of purchases) await service.assertDone(purchase)
    })
  })
}

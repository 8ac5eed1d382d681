import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { commands, RejectionReason } from '../../shared/contracts/commands.ts'
import { events } from '../../shared/contracts/events.ts'
import { OrderStatus } from '../../shared/contracts/order.ts'
import { PaymentStatus } from '../../shared/contracts/payment.ts'
import { PurchaseStatus } from '../../shared/contracts/purchase.ts'
import {
  anyCommandSteps,
  type CommandName,
  commandNames,
  commandSteps,
  doNames,
  type RefundCommandName,
  refundCommandNames,
  refundSteps,
  undoOf,
} from '../../shared/contracts/steps.ts'
import { partitionsPerTopic, topics } from '../../shared/contracts/topics.ts'
import { checkout, codes, fences, readDocument, rowsOf, section } from './markdown.ts'

/** The consumer groups that services name, in `group: '…'`. */
async function groupsInCode(): Promise<string[]> {
  const paths = await Array.fromAsync(glob('services/*/*.ts', { cwd: checkout }))
  const sources = paths.filter((path) => !path.endsWith('.test.ts'))
  const texts = await Promise.all(sources.map(readDocument))
  return texts.flatMap((text) => [...text.matchAll(/group: '([^']+)'/g)].map(([, g = '']) => g))
}

describe('docs/saga.md', () => {
  let text: string

  before(async () => {
    text = await readDocument('docs/saga.md')
  })

  const states = async () => {
    const migration = await readDocument(
      'prisma/product/migrations/20261130120000_returned_holds/migration.sql',
    )
    const [, list = ''] =
      /"holds_status_check" CHECK \("status" IN \(([^)]*)\)/.exec(migration) ?? []
    return {
      Purchase: PurchaseStatus.options,
      Order: OrderStatus.options,
      Payment: PaymentStatus.options,
      Hold: list.split(', ').map((word) => word.replaceAll("'", '')),
    }
  }

  it('has every state of a purchase, order, payment and hold, and no other', async () => {
    for (const [thing, expected] of Object.entries(await states())) {
      const rows = rowsOf(section(text, `### ${thing}`), 'state', 'meaning', 'comes next')

      assert.deepEqual(rows.map(({ state }) => codes(state)[0]).sort(), [...expected].sort())
      for (const row of rows) {
        for (const next of codes(row['comes next'])) {
          assert.ok((expected as string[]).includes(next), `${thing} ${next}`)
        }
      }
    }
  })

  describe('its table of commands', () => {
    const columns = [
      'command',
      'topic',
      'step',
      'undoes',
      'sequence',
      'reasons for a refusal',
    ] as const
    const table = () =>
      rowsOf(text, ...columns).map((row) => ({
        name: codes(row.command)[0] ?? '',
        topic: codes(row.topic)[0],
        step: codes(row.step)[0],
        undoes: codes(row.undoes)[0],
        sequence: Number(row.sequence),
        reasons: codes(row['reasons for a refusal']),
      }))

    const refundTable = () =>
      rowsOf(text, 'command', 'topic', 'step', 'reasons for a refusal').map((row) => ({
        name: codes(row.command)[0] ?? '',
        topic: codes(row.topic)[0],
        step: codes(row.step)[0],
        reasons: codes(row['reasons for a refusal']),
      }))

    it('is the table of the code, also for refunds', () => {
      assert.deepEqual(
        refundTable().map(({ reasons: _, ...row }) => row),
        refundCommandNames.map((name) => {
          const { topic, step } = anyCommandSteps[name]
          return { name, topic, step }
        }),
      )
      for (const { name, reasons } of refundTable()) {
        const { refusable } = refundSteps[name as RefundCommandName]
        assert.equal(reasons.length > 0, refusable, name)
      }

      const expected = commandNames.map((name) => ({
        name,
        topic: commandSteps[name].topic,
        step: commandSteps[name].step,
        undoes: commandSteps[name].undoes,
        sequence: commandSteps[name].sequence,
      }))

      assert.deepEqual(
        table().map(({ reasons: _, ...row }) => row),
        expected,
      )
    })

    it('knows every reason, and gives none to an undo, which cannot be refused', () => {
      const named = new Set([...table(), ...refundTable()].flatMap(({ reasons }) => reasons))
      assert.deepEqual([...named].sort(), [...RejectionReason.options].sort())

      for (const { name, undoes, reasons } of table()) {
        const refusal = { outcome: 'rejected', reason: 'invalid' }
        const refusable = commands[name as CommandName].reply.safeParse(refusal).success
        assert.equal(refusable, undoes === undefined, name)
        assert.equal(reasons.length > 0, refusable, name)
      }
    })
  })

  describe('its table of topics', () => {
    const table = () =>
      rowsOf(text, 'topic', 'carries', 'written by', 'read by group').map((row) => ({
        topic: codes(row.topic)[0] ?? '',
        carries: codes(row.carries),
        groups: codes(row['read by group']),
      }))

    it('has every topic with its commands and events', () => {
      const carried = (topic: string) => [
        ...Object.entries(commands).filter(([, command]) => command.topic === topic),
        ...Object.entries(events).filter(([, event]) => event.topic === topic),
      ]

      assert.deepEqual(
        table()
          .map(({ topic }) => topic)
          .sort(),
        [...topics].sort(),
      )
      for (const { topic, carries } of table()) {
        assert.deepEqual(
          carries.toSorted(),
          carried(topic)
            .map(([name]) => name)
            .sort(),
          topic,
        )
      }
      assert.ok(text.includes(`Every topic has ${partitionsPerTopic} partitions`))
    })

    it('has every consumer group', async () => {
      const documented = table().flatMap(({ groups }) => groups)

      assert.deepEqual(documented.sort(), (await groupsInCode()).sort())
    })
  })

  it('agrees with the README on what undoes what', async () => {
    const [diagram = ''] = fences(section(await readDocument('README.md'), '## The saga'), 'text')
    const [, ...lines] = diagram.trim().split('\n')
    const pairs = lines.map((line) => line.trim().split(/\s+/).slice(0, 2))

    assert.deepEqual(
      pairs.filter(([name = '']) => name in commandSteps),
      doNames.map((name) => [name, undoOf[name]]),
    )
  })

  it('names only reasons and states that exist where it tells how a purchase ends', async () => {
    const known = new Set(Object.values(await states()).flat() as string[])
    const steps = commandNames.map((name) => commandSteps[name].step)
    const rows = rowsOf(
      text,
      'what happens',
      'status',
      'reason',
      'failed step',
      'order',
      'payment',
      'stock',
    )

    for (const row of rows) {
      const named = [row.status, row.order, row.payment, row.stock].flatMap(codes)
      assert.deepEqual(
        named.filter((state) => !known.has(state)),
        [],
      )
      const failed = codes(row['failed step'])
      assert.ok(failed.every((step) => steps.includes(step)))
    }
  })
})

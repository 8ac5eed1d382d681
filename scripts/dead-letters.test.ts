import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { newId } from '../shared/contracts/ids.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { type DeadLetters, openDeadLetters } from '../test/helpers/dead-letters.ts'

const script = join(import.meta.dirname, 'dead-letters.ts')
const bytes = Buffer.from([0xff, 0x00, 0x80, 0x7b])

type Page = { items: { id: string; state: string }[]; next_cursor: string | null }

describe('dead letters on the command line', function () {
  // A dozen processes start side by side.
  this.timeout(300_000)

  let deadLetters: DeadLetters

  before(async () => {
    deadLetters = await openDeadLetters()
  })

  after(() => deadLetters.close())

  function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const { brokers, prefix } = deadLetters
    const place = ['--brokers', brokers.join(), '--topic-prefix', prefix]
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [...process.execArgv, script, ...args, ...place],
        (error, stdout, stderr) => {
          resolve({ code: Number(error?.code ?? 0), stdout, stderr })
        },
      )
    })
  }

  async function runJson<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await run(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as T
  }

  it('list shows a page and where the next begins', async () => {
    const purchaseId = newId()
    const headers = { purchase_id: Buffer.from(purchaseId) }
    const ids = [
      (await deadLetters.poison({ headers })).id,
      (await deadLetters.poison({ headers })).id,
    ]
    const list = (...args: string[]) =>
      runJson<Page>('list', '--purchase', purchaseId, '--limit', '1', ...args)

    const first = await list()
    const second = await list('--after', first.next_cursor ?? '')
    const text = await run('list', '--purchase', purchaseId)

    assert.deepEqual([first.items[0]?.id, first.next_cursor], [ids[0], ids[0]])
    assert.deepEqual([second.items[0]?.id, second.next_cursor], [ids[1], null])
    for (const id of ids) assert.ok(text.stdout.includes(id))
  })

  it('show tells all of one, bytes that are no text in base64', async () => {
    const { id } = await deadLetters.poison({ value: bytes })
    const shown = await runJson<Record<string, unknown>>('show', id)
    const text = await run('show', id)

    assert.deepEqual([shown.value, shown.value_encoding], [bytes.toString('base64'), 'base64'])
    assert.match(text.stdout, /dead_letter_group +reader/)
  })

  it('replay and discard do it once, with exit code 1 for the second time', async () => {
    const key = newId()
    const [one, other] = [await deadLetters.poison({}, key), await deadLetters.poison()]

    assert.equal((await run('replay', one.id, '--note', 'fixed')).code, 0)
    assert.equal((await run('discard', other.id, '--note', 'of no use')).code, 0)
    const again = await run('replay', one.id)
    assert.deepEqual([again.code, again.stdout], [1, ''])
    assert.match(again.stderr, /--again/)
    assert.equal((await run('discard', other.id, '--note', 'twice')).code, 1)
    await waitFor('the replay', () => deadLetters.handledOf(key).length === 1)
    const page = await runJson<Page>('list', '--state', 'discarded', '--limit', '500')
    assert.ok(page.items.some(({ id }) => id === other.id))
  })

  it('exits 1 for a dead letter that is not there, and 2 for what it does not understand', async () => {
    const missing = await run('show', 'dead-letters/0/999999')
    assert.equal(missing.code, 1)
    assert.equal(missing.stderr, 'there is no dead letter dead-letters/0/999999\n')

    const mistakes = [
      [],
      ['lost'],
      ['list', '--state', 'gone'],
      ['list', '--topic', 'gone'],
      ['list', '--min-age', 'old'],
      ['list', '--limit', '0'],
      ['list', '--gone'],
      ['show'],
      ['show', '1'],
      ['discard', 'dead-letters/0/0'],
      ['discard', 'dead-letters/0/0', '--note', ' '],
      ['discard', 'dead-letters/0/0', '--note', 'bell \u0007'],
    ]
    const codes = await Promise.all(mistakes.map(async (args) => (await run(...args)).code))
    assert.deepEqual(
      codes,
      mistakes.map(() => 2),
    )
  })
})

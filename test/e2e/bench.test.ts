import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Results } from '../../bench/results.ts'

const execute = promisify(execFile)
const checkout = join(import.meta.dirname, '../..')
const bench = ['--disable-warning=TimeoutNegativeWarning', 'bench/main.ts']

describe('npm run bench', function () {
  this.timeout(900_000)

  let dir: string
  let output: string
  let results: Results

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'saga-bench-test-'))
    const file = join(dir, 'results.json')
    const settings = ['--purchases', '10', '--rate', '300', '--seconds', '2', '--json', file]
    const wanted = ['--only', 'latency,burst,open,reads,ceiling']
    // Without a named stack: it starts and stops its own.
    const { STACK_DATA: _, ...env } = process.env
    const run = [...bench, ...settings, ...wanted]
    output = (await execute(process.execPath, run, { cwd: checkout, env })).stdout
    results = JSON.parse(await readFile(file, 'utf8'))
  })

  after(() => rm(dir, { recursive: true, force: true }))

  it('prints what it measured, the goals and the verdict', () => {
    assert.match(output, /All invariants hold: purchases \d+/)
    assert.match(output, /every 202 has its purchase/)
    assert.match(output, /burst, all COMPLETED +≥ 25.0 \/s +≥ 40.0 \/s +\d/)
    assert.match(output, /cold start, engines cached/)
  })

  it('writes figures of every phase that was asked for, and of no other', () => {
    const [run] = results.runs

    assert.equal(results.runs.length, 1)
    assert.equal(results.settings.purchases, 10)
    assert.equal(run?.latency?.outcomes.COMPLETED, 10)
    assert.equal(run?.burst?.outcomes.COMPLETED, 10)
    assert.equal(run?.open?.outcomes.COMPLETED, 10)
    assert.equal(run?.search, undefined)
    assert.equal(run?.long, undefined)
    assert.ok((run?.reads?.perSecond ?? 0) > 0)
    assert.equal(run?.reads?.failed, 0)
    assert.ok((run?.ceiling?.plain ?? 0) > 0 && (run?.ceiling?.local ?? 0) > 0)
    assert.ok(run?.reconciled.ok)
  })

  it('knows what a purchase cost: messages, events and the CPU of each process', () => {
    const { costs, burst } = results.runs[0] ?? {}

    assert.equal(costs?.sagas, 10)
    // The accepted event, three commands and replies, and the end; a mail may still be on its way.
    assert.ok((costs?.kafka.messages ?? 0) >= 10 * 8)
    assert.ok((costs?.kafka.commands ?? 0) >= 10 * 3)
    assert.ok((costs?.temporal.events ?? 0) > 5)
    const names = burst?.use?.processes.map(({ name }) => name) ?? []
    assert.ok(
      ['orchestrator', 'kafka', 'temporal', 'benchmark'].every((one) => names.includes(one)),
    )
    assert.ok(burst?.use?.processes.some(({ cpuSeconds }) => cpuSeconds > 0))
  })

  it('says which option is wrong', async () => {
    const wrong = execute(process.execPath, [...bench, '--purchases', 'many'], { cwd: checkout })

    await assert.rejects(wrong, /--purchases must be a positive number/)
  })
})

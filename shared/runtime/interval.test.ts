import assert from 'node:assert/strict'
import { pino } from 'pino'
import { startSweep } from './interval.ts'
import { createLogger } from './logger.ts'

const logger = createLogger('test', 'silent')

describe('startSweep', () => {
  it('logs the error of a run, and runs again', async () => {
    const twice = Promise.withResolvers<void>()
    const lines: { level: string; msg: string; err: { message: string } }[] = []
    const sink = { write: (line: string) => void lines.push(JSON.parse(line)) }
    let runs = 0
    const sweep = startSweep({
      intervalMs: 1,
      logger: pino({ formatters: { level: (level) => ({ level }) } }, sink),
      run: async () => {
        runs++
        if (runs === 2) twice.resolve()
        throw new Error(`run ${runs} found no database`)
      },
    })

    await twice.promise
    await sweep.close()

    assert.deepEqual(
      lines.slice(0, 2).map(({ level, msg, err }) => [level, msg, err.message]),
      [
        ['error', 'sweep failed', 'run 1 found no database'],
        ['error', 'sweep failed', 'run 2 found no database'],
      ],
    )
  })

  it('never runs twice at a time, and close waits for the run under way', async () => {
    const begun = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    let runs = 0
    let ended = 0
    const sweep = startSweep({
      intervalMs: 1,
      logger,
      run: async () => {
        runs++
        begun.resolve()
        await gate.promise
        ended++
      },
    })

    await begun.promise
    const closed = sweep.close()
    gate.resolve()
    await closed

    assert.deepEqual({ runs, ended }, { runs: 1, ended: 1 })
  })

  it('close does not wait for the next run', async () => {
    let runs = 0
    const sweep = startSweep({
      intervalMs: 3_600_000,
      logger,
      run: async () => {
        runs++
      },
    })

    await sweep.close()

    assert.equal(runs, 0)
  })
})

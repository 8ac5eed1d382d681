import assert from 'node:assert/strict'
import { createLogger } from './logger.ts'
import { startSweep } from './sweep.ts'

const logger = createLogger('test', 'silent')

describe('startSweep', () => {
  it('runs again after a run that failed', async () => {
    const twice = Promise.withResolvers<void>()
    let runs = 0
    const sweep = startSweep({
      intervalMs: 1,
      logger,
      run: async () => {
        runs++
        if (runs === 2) twice.resolve()
        throw new Error('the database is away')
      },
    })

    await twice.promise
    await sweep.close()

    assert.ok(runs >= 2)
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

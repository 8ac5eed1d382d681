import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBreaker, DeadlineError, NotAskedError } from './breaker.ts'

const never = () => new Promise<never>(() => undefined)
const away = () => Promise.reject(new Error('away'))
const here = async () => 'here'

describe('the breaker', () => {
  it('gives a use its result or its error', async () => {
    const { run } = createBreaker()

    assert.equal(await run(here), 'here')
    await assert.rejects(run(away), /away/)
  })

  it('waits no longer than the deadline', async () => {
    const { run } = createBreaker({ deadlineMs: 20 })

    await assert.rejects(run(never), DeadlineError)
  })

  it('asks nothing for a while after a failure, then one, then all', async () => {
    const { run } = createBreaker({ restMs: 50 })
    let asked = 0
    const slow = async () => {
      asked += 1
      await sleep(10)
      return 'here'
    }
    await assert.rejects(run(away))
    await assert.rejects(run(slow), NotAskedError)
    assert.equal(asked, 0)
    await sleep(60)

    const crowd = await Promise.allSettled(Array.from({ length: 10 }, () => run(slow)))

    assert.equal(asked, 1)
    assert.equal(crowd.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(await run(slow), 'here')
  })

  it('stays open while the one that tries fails', async () => {
    const { run } = createBreaker({ restMs: 20 })
    await assert.rejects(run(away))
    await sleep(30)
    await assert.rejects(run(away), /away/)

    await assert.rejects(run(here), NotAskedError)
  })

  it('bears as many failures in a row as it is told to', async () => {
    const { run } = createBreaker({ failuresToRest: 3 })
    await assert.rejects(run(away), /away/)
    await assert.rejects(run(away), /away/)
    await run(here)
    for (let i = 0; i < 3; i += 1) await assert.rejects(run(away), /away/)

    await assert.rejects(run(here), NotAskedError)
  })

  it('counts what failed, not what was not tried', async () => {
    let failed = 0
    const inc = () => {
      failed += 1
    }
    const { run } = createBreaker({ failures: { inc } })
    await assert.rejects(run(away))
    await assert.rejects(run(away))

    assert.equal(failed, 1)
  })
})

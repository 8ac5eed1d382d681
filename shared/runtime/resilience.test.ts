import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CircuitOpenError,
  createBreaker,
  createShares,
  DeadlineError,
  ShareUsedUpError,
  withDeadline,
} from './resilience.ts'

const never = () => new Promise<never>(() => undefined)
const unavailable = () => Promise.reject(new Error('unavailable'))
const here = async () => 'here'

describe('a deadline', () => {
  it('counts an answer that came in time, although the process was too busy to read it', async () => {
    const answer = withDeadline(20, async () => {
      const { promise, resolve } = Promise.withResolvers<string>()
      setTimeout(() => setImmediate(resolve, 'here'), 1)
      return promise
    })
    const busyUntil = performance.now() + 60
    while (performance.now() < busyUntil);

    assert.equal(await answer, 'here')
  })

  it('throws when there is no answer', async () => {
    await assert.rejects(withDeadline(5, never), DeadlineError)
  })
})

describe('the breaker', () => {
  it('gives a use its result or its error', async () => {
    const { run } = createBreaker()

    assert.equal(await run(here), 'here')
    await assert.rejects(run(unavailable), /unavailable/)
  })

  it('waits no longer than the deadline', async () => {
    const { run } = createBreaker({ deadlineMs: 20 })

    await assert.rejects(run(never), DeadlineError)
  })

  it('lets no call pass for a while after a failure, then one, then all', async () => {
    const { run } = createBreaker({ openMs: 500 })
    let asked = 0
    const slow = async () => {
      asked += 1
      await sleep(10)
      return 'here'
    }
    await assert.rejects(run(unavailable))
    await assert.rejects(run(slow), CircuitOpenError)
    assert.equal(asked, 0)
    await sleep(510)

    const calls = await Promise.allSettled(Array.from({ length: 10 }, () => run(slow)))

    assert.equal(asked, 1)
    assert.equal(calls.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal(await run(slow), 'here')
  })

  it('stays open while the probe fails', async () => {
    const { run } = createBreaker({ openMs: 500 })
    await assert.rejects(run(unavailable))
    await sleep(510)
    await assert.rejects(run(unavailable), /unavailable/)

    await assert.rejects(run(here), CircuitOpenError)
  })

  it('tolerates as many failures in a row as its threshold allows', async () => {
    const { run } = createBreaker({ failureThreshold: 3 })
    await assert.rejects(run(unavailable), /unavailable/)
    await assert.rejects(run(unavailable), /unavailable/)
    await run(here)
    for (let i = 0; i < 3; i += 1) await assert.rejects(run(unavailable), /unavailable/)

    await assert.rejects(run(here), CircuitOpenError)
  })

  it('is not held open by a wall clock that is set back', async () => {
    const { run } = createBreaker({ openMs: 20 })
    const wallClock = Date.now
    await assert.rejects(run(unavailable))
    await sleep(30)
    try {
      Date.now = () => wallClock() - 3_600_000

      assert.equal(await run(here), 'here')
    } finally {
      Date.now = wallClock
    }
  })

  it('counts failed calls, and not those that it refused', async () => {
    let failed = 0
    const inc = () => {
      failed += 1
    }
    const { run } = createBreaker({ failures: { inc } })
    await assert.rejects(run(unavailable))
    await assert.rejects(run(unavailable))

    assert.equal(failed, 1)
  })
})

describe('shares', () => {
  it('limits the concurrent uses of a key, and does not affect another key', async () => {
    const { run } = createShares({ limit: 2, waitMs: 10 })
    const first = Promise.withResolvers<string>()
    const begun: string[] = []
    const use = (name: string, result: Promise<string>) =>
      run('one', () => {
        begun.push(name)
        return result
      })
    const uses = [use('a', first.promise), use('b', first.promise)]

    await assert.rejects(use('c', here()), ShareUsedUpError)
    assert.equal(await run('other', here), 'here')
    first.resolve('there')

    assert.deepEqual(await Promise.all(uses), ['there', 'there'])
    assert.equal(await use('d', here()), 'here')
    assert.deepEqual(begun, ['a', 'b', 'd'])
  })

  it('starts a waiting use when another one ends, also by failing', async () => {
    const { run } = createShares({ limit: 1, waitMs: 60_000 })
    const failing = run('one', unavailable)
    const next = run('one', here)

    await assert.rejects(failing)
    assert.equal(await next, 'here')
  })

  it('begins a use whose turn came in time, although the process was too busy to see it', async () => {
    const { run } = createShares({ limit: 1, waitMs: 20 })
    const begun = Promise.withResolvers<void>()
    const first = run('one', async () => {
      const { promise, resolve } = Promise.withResolvers<string>()
      setTimeout(() => setImmediate(resolve, 'there'), 1)
      begun.resolve()
      return promise
    })
    const next = run('one', here)
    await begun.promise
    const busyUntil = performance.now() + 60
    while (performance.now() < busyUntil);

    assert.deepEqual(await Promise.all([first, next]), ['there', 'here'])
  })
})

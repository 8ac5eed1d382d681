import assert from 'node:assert/strict'
import { arrivalTimes, onSchedule } from './schedule.ts'

describe('the schedule of an open loop', () => {
  it('is even and as long as it was asked for', () => {
    const times = arrivalTimes(1_000, 180)

    assert.equal(times.length, 3_000)
    assert.deepEqual(times.slice(0, 3), [0, 60, 120])
    assert.equal(times.at(-1), 2_999 * 60)
  })

  it('begins what is due while nothing that it began has ended', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let begun = 0

    const all = onSchedule([0, 1, 2], async (index) => {
      if (++begun === 3) resolve()
      await promise
      return index
    })

    assert.deepEqual(await all, [0, 1, 2])
  })

  it('says how late a work was begun', async () => {
    const late = await onSchedule([0, 10], async (index, lateMs) => {
      // Keeps the process from beginning the second in time.
      const end = performance.now() + (index === 0 ? 60 : 0)
      while (performance.now() < end);
      return lateMs
    })

    assert.ok((late[1] ?? 0) >= 45, `${late[1]}`)
  })
})

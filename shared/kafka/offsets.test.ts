import assert from 'node:assert/strict'
import { createOffsetTracker } from './offsets.ts'

function setUp(...offsets: bigint[]) {
  const tracker = createOffsetTracker()
  for (const offset of offsets) tracker.started(offset)
  return tracker
}

describe('createOffsetTracker', () => {
  it('has nothing to commit before a message is finished', () => {
    assert.equal(createOffsetTracker().committable(), undefined)
    assert.equal(setUp(5n).committable(), undefined)
  })

  it('commits the end of the finished prefix, whatever is finished after it', () => {
    const tracker = setUp(5n, 6n, 7n, 8n)
    tracker.finished(8n)
    tracker.finished(6n)
    assert.equal(tracker.committable(), undefined)
    tracker.finished(5n)
    assert.equal(tracker.committable(), 7n)
    tracker.finished(7n)
    assert.equal(tracker.committable(), 9n)
  })

  it('goes over the gaps that compaction and transactions leave', () => {
    const tracker = setUp(5n, 9n, 20n)
    tracker.finished(5n)
    assert.equal(tracker.committable(), 6n)
    tracker.finished(9n)
    assert.equal(tracker.committable(), 10n)
  })

  it('commits nothing twice, and what was not committed again', () => {
    const tracker = setUp(5n, 6n)
    tracker.finished(5n)
    assert.equal(tracker.committable(), 6n)
    assert.equal(tracker.committable(), 6n)
    tracker.committed(6n)
    assert.equal(tracker.committable(), undefined)
    tracker.finished(6n)
    assert.equal(tracker.committable(), 7n)
  })

  it('keeps what was finished while a commit was under way', () => {
    const tracker = setUp(5n, 6n)
    tracker.finished(5n)
    const underWay = tracker.committable() as bigint
    tracker.finished(6n)
    tracker.committed(underWay)
    assert.equal(tracker.committable(), 7n)
  })

  it('counts beyond what a double can hold', () => {
    const tracker = setUp(2n ** 60n)
    tracker.finished(2n ** 60n)
    assert.equal(tracker.committable(), 2n ** 60n + 1n)
  })
})

import assert from 'node:assert/strict'
import { type Sample, slopePerHour, steadyPart } from './samples.ts'

const at = (minute: number, pid: number, rssMb = 100): Sample => ({ minute, pid, rssMb, files: 10 })

describe('the samples of a soak', () => {
  it('have the slope of an hour, whatever the noise around it', () => {
    const noise = [1, -1, -1, 1]
    const values = Array.from({ length: 40 }, (_, minute) => {
      return { minute, value: 100 + minute / 2 + (noise[minute % 4] ?? 0) }
    })

    assert.ok(Math.abs(slopePerHour(values) - 30) < 0.5)
    assert.equal(slopePerHour([{ minute: 1, value: 5 }]), 0)
  })

  it('are steady in the longest life of a process, after it has warmed up', () => {
    const first = Array.from({ length: 6 }, (_, minute) => at(minute, 1))
    const second = Array.from({ length: 9 }, (_, index) => at(6 + index, 2))

    assert.deepEqual(steadyPart([...first, ...second]), second.slice(3))
    assert.deepEqual(steadyPart([]), [])
  })
})

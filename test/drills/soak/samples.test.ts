import assert from 'node:assert/strict'
import { createMetrics } from '../../../shared/runtime/metrics.ts'
import { readTimers, type Sample, slopePerHour, steadyPart } from './samples.ts'

const at = (minute: number, pid: number): Sample => {
  return { minute, pid, rssMb: 100, files: 10, timers: 5 }
}

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

  it('know how many timers a service has from its metrics', async () => {
    const { registry } = createMetrics('product')
    const timers = [1, 2, 3].map(() => setTimeout(() => undefined, 60_000))
    const metrics = await registry.metrics()
    for (const timer of timers) clearTimeout(timer)

    assert.ok((readTimers(metrics) ?? 0) >= timers.length)
    assert.equal(readTimers('nodejs_active_resources{type="TCPSocketWrap"} 7'), undefined)
  })
})

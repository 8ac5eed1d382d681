import assert from 'node:assert/strict'
import type { Burst } from './run.ts'
import { measureTracing, tracingRows } from './tracing.ts'

/** A burst of ten purchases that took so many CPU seconds outside of the benchmark. */
function burstOf(cpuSeconds: number): Burst {
  const process = { rssStart: 1, rssEnd: 1, rssMax: 1 }
  return {
    posted: 10,
    completedPerSecond: 5,
    use: {
      processes: [
        { ...process, name: 'order', kind: 'service', cpuSeconds },
        { ...process, name: 'benchmark', kind: 'benchmark', cpuSeconds: 100 },
      ],
      servicesRssMax: 900,
    },
  } as Burst
}

describe('the study of what traces cost', () => {
  it('compares CPU with the runs without traces, and leaves out the benchmark, which receives the spans', async () => {
    const cpu = [0.9, 1.03, 1.2, 1.1]
    const shares: (string | undefined)[] = []
    const measured = await measureTracing(
      async ({ otlp }) => {
        shares.push(otlp?.share)
        return burstOf(cpu[shares.length - 1] ?? 0)
      },
      () => undefined,
    )

    assert.deepEqual(shares, [undefined, '0.1', '1', undefined])
    assert.deepEqual(
      tracingRows(measured).map(([name, ms, ratio]) => [name, ms, ratio]),
      [
        ['traced', 'CPU a purchase', 'ratio'],
        ['off', '90.0 ms', '0.90'],
        ['10 %', '103.0 ms', '1.03'],
        ['all', '120.0 ms', '1.20'],
        ['off, again', '110.0 ms', '1.10'],
      ],
    )
  })
})

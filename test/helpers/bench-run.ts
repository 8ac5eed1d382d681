import type { PurchaseFigures } from '../../bench/figures.ts'
import { readSettings } from '../../bench/options.ts'
import type { Results } from '../../bench/results.ts'
import type { Burst, RunResult } from '../../bench/run.ts'

const figures = (posted: number, rate: number): PurchaseFigures => ({
  posted,
  answers: { 202: posted },
  outcomes: { COMPLETED: posted },
  lost: [],
  seconds: posted / rate,
  acceptedPerSecond: rate * 2,
  completedPerSecond: rate,
  post: { p50: 80, p95: 150, p99: 240, max: 300 },
  toTerminal: { p50: 90, p95: 300, p99: 450, max: 900 },
  timeline: [
    { second: 0, accepted: 40, ended: 10, p50: 90, p99: 300 },
    { second: 1, accepted: 0, ended: 0, p50: Number.NaN, p99: Number.NaN },
    { second: 2, accepted: 10, ended: 40, p50: 95, p99: 450 },
  ],
})

const burst = (posted: number, rate: number): Burst => ({
  ...figures(posted, rate),
  inFlight: 128,
  use: {
    processes: [
      { name: 'order', kind: 'service', cpuSeconds: 4, rssStart: 90, rssEnd: 100, rssMax: 101 },
      { name: 'product', kind: 'service', cpuSeconds: 5, rssStart: 90, rssEnd: 120, rssMax: 121 },
      { name: 'kafka', kind: 'engine', cpuSeconds: 6, rssStart: 400, rssEnd: 500, rssMax: 500 },
    ],
    servicesRssMax: 780,
  },
})

/** A run that measured everything, at invented figures. */
export function exampleRun(): RunResult {
  return {
    startedAt: '2026-01-01T10:00:00.000Z',
    coldStartSeconds: 14.2,
    latency: figures(50, 10),
    burst: burst(1_000, 41),
    costs: {
      sagas: 1_000,
      temporal: { events: 29, bytes: 9_000, transitions: 14 },
      kafka: {
        messages: 8_000,
        bytes: 4_000_000,
        byTopic: { replies: { messages: 3_000, bytes: 1_000_000 } },
        commands: 3_000,
        sentAgain: 0,
      },
    },
    open: { ...figures(3_000, 16.6), perMinute: 1_000 },
    search: { perMinute: 2_100, trials: [{ rate: 2_100, ok: true }] },
    reads: {
      inFlight: 64,
      seconds: 10,
      reads: 70_000,
      perSecond: 7_000,
      failed: 0,
      p50: 8,
      p99: 20,
    },
    ceiling: { sagas: 500, inFlight: 128, plain: 40, local: 80 },
    long: burst(10_000, 40.5),
    reconciled: { ok: true, checks: [], counts: { purchases: 14_150, COMPLETED: 14_150 } },
  }
}

/** What `--json` writes of such runs. */
export function exampleResults(runs = [exampleRun()]): Results {
  return {
    machine: {
      cpu: 'Example CPU',
      cores: 2,
      memoryGb: 24,
      system: 'Linux 6.1',
      node: 'v24.0.0',
      loadBefore: 0.1,
      commit: 'abcdef123456',
    },
    settings: readSettings([]),
    runs,
  }
}

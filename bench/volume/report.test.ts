import assert from 'node:assert/strict'
import { volumeFailures, volumeRows } from './report.ts'
import type { Checked, VolumeFigures } from './volume.ts'

const scan: Checked = {
  database: 'order_db',
  text: 'SELECT 1 FROM orders',
  runs: 7,
  maxMs: 900,
  rows: 1_000_000,
  scanned: ['orders'],
  problem: 'reads all of orders',
}

/** A study in which everything is just good enough. */
const atItsLimits: VolumeFigures = {
  rows: 1_000_000,
  fillSeconds: 200,
  lists: [{ name: '/sales: first page', p50: 10, p95: 100, items: 20 }],
  statements: [{ ...scan, scanned: [], rows: 20, problem: undefined }],
  bursts: { empty: [20, 40], filled: [19, 38] },
  reconciler: { ok: true, seconds: 180, peakMb: 300, output: '' },
}

const failures = (changed: Partial<VolumeFigures>) => volumeFailures({ ...atItsLimits, ...changed })

describe('the study of a filled shop', () => {
  it('passes at its limits', () => {
    assert.deepEqual(failures({}), [])
    assert.ok(volumeRows(atItsLimits).every(([, , , mark]) => mark === ''))
  })

  it('fails when one of its lists takes longer than promised', () => {
    const lists = [
      ...atItsLimits.lists,
      { name: '/refunds: deep page', p50: 9, p95: 101, items: 3 },
    ]

    assert.deepEqual(failures({ lists }), [
      '/refunds: deep page (3): p50 9, p95 101, must be p95 ≤ 100 ms',
    ])
  })

  it('fails when a statement reads all of a big table, and says which', () => {
    assert.deepEqual(failures({ statements: [...atItsLimits.statements, scan] }), [
      'statements that read all of a big table: 1 of 2, must be 0',
      'order_db reads all of orders: SELECT 1 FROM orders',
    ])
  })

  it('fails when the burst is slower than in an empty shop, or was not measured', () => {
    const [slower] = failures({ bursts: { empty: [20, 40], filled: [19, 37.9] } })
    const [none] = failures({ bursts: { empty: [], filled: [] } })

    assert.match(
      slower ?? '',
      /^burst, .*: 0\.95 \(19\.0, 37\.9 to 20\.0, 40\.0 \/s\), must be ≥ 0\.95$/,
    )
    assert.match(none ?? '', /^burst, .*NaN/)
  })

  it('fails when the reconciler takes too long, takes too much or finds something', () => {
    const { reconciler } = atItsLimits

    assert.deepEqual(failures({ reconciler: { ...reconciler, seconds: 181 } }), [
      'reconciler: time: 181 s, must be ≤ 180 s',
    ])
    assert.deepEqual(failures({ reconciler: { ...reconciler, peakMb: 301 } }), [
      'reconciler: memory: 301 MB, must be ≤ 300 MB',
    ])
    assert.deepEqual(failures({ reconciler: { ...reconciler, ok: false } }), [
      'reconciler: verdict: VIOLATED, must be clean',
    ])
  })
})

import assert from 'node:assert/strict'
import { fairnessFailures, fairnessRows, type Measured } from './fairness-report.ts'
import type { Check } from './findings.ts'

const measured: Measured = {
  name: 'beside a backlog',
  must: 2_000,
  times: { p50: 90, p95: 900, p99: 2_000, max: 2_100 },
  problem: undefined,
  servicesRssMb: 1_300,
  answers: [
    ['202', 900],
    ['503', 20],
    ['stranger: 503', 2],
    ['slow client: 408', 64],
    ['TimeoutError', 1],
  ],
}

const failures = (changed: Partial<Measured>, ...broken: Omit<Check, 'ok' | 'purchaseIds'>[]) =>
  fairnessFailures({
    measured: [{ ...measured, ...changed }],
    reconciled: {
      ok: broken.length === 0,
      checks: [
        { name: 'stock adds up', ok: true, detail: '1 product', purchaseIds: [] },
        ...broken.map((check) => ({ ...check, ok: false, purchaseIds: [] })),
      ],
      counts: {},
    },
  })

describe('the study of fairness', () => {
  it('passes at its limits, with refusals that say when to come again', () => {
    assert.deepEqual(failures({}), [])
    assert.deepEqual(failures({ must: undefined, servicesRssMb: undefined }), [])
  })

  it('fails when a stranger waits longer than promised, or was not timed at all', () => {
    const times = { ...measured.times, p99: 2_001 }
    const none = { ...measured.times, p99: Number.NaN }

    assert.deepEqual(failures({ times }), ['beside a backlog: p99 2001 ms of 2000 ms'])
    assert.deepEqual(failures({ times: none }), ['beside a backlog: p99 NaN ms of 2000 ms'])
  })

  it('fails on every fault of the shop, in an answer to the stranger or to the others', () => {
    for (const answer of ['500', '502', 'slow client: 504', 'stranger: 500']) {
      assert.deepEqual(failures({ answers: [[answer, 3]] }), [
        `beside a backlog: answered ${answer}, 3 times`,
      ])
    }
  })

  it('fails on a refusal that does not say when to come again', () => {
    for (const answer of ['503', '429', 'slow client: 503', 'stranger: 503']) {
      assert.deepEqual(failures({ answers: [[`${answer} without Retry-After`, 1]] }), [
        `beside a backlog: answered ${answer} without Retry-After, 1 times`,
      ])
    }
  })

  it('fails when a purchase did not end: that of the stranger, or one that the reconciler finds', () => {
    assert.deepEqual(failures({ problem: 'the purchase did not end' }), [
      'beside a backlog: the purchase did not end',
    ])
    assert.deepEqual(
      failures({}, { name: 'every accepted purchase has ended', detail: 'p1 still\np2 still' }),
      ['the reconciler: every accepted purchase has ended: p1 still'],
    )
  })

  it('fails when the reconciler is not clean', () => {
    assert.deepEqual(failures({}, { name: 'dead letters', detail: '1 open, expected 0' }), [
      'the reconciler: dead letters: 1 open, expected 0',
    ])
  })

  it('fails when the services took more memory than the goals allow', () => {
    assert.deepEqual(failures({ servicesRssMb: 1_301 }), [
      'beside a backlog: all services took 1301 MB of 1300 MB',
    ])
  })

  it('shows each bound beside its figure', () => {
    const reconciled = { ok: true, checks: [], counts: {} }
    const missed = { ...measured, times: { ...measured.times, p99: 2_001 }, servicesRssMb: 1_301 }
    const unbounded = { ...measured, must: undefined, servicesRssMb: undefined }

    const rows = fairnessRows({ measured: [measured, missed, unbounded], reconciled })

    assert.deepEqual(
      rows.slice(1).map((row) => row.slice(4, 7)),
      [
        ['≤ 2000', '1300', '≤ 1300'],
        ['MISSED 2000', '1301', 'MISSED 1300'],
        ['', '', ''],
      ],
    )
  })
})

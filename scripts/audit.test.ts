import assert from 'node:assert/strict'
import { judge } from './audit.ts'

const today = '2026-11-22'
const advisory = 'GHSA-abcd-1234-wxyz'
const exception = { advisory, reason: 'only in a test server', expires: today }

/** What npm prints when a package has one advisory. */
function found(severity: string): string {
  const via = { url: `https://github.com/advisories/${advisory}`, title: 'Bad things', severity }
  return JSON.stringify({ vulnerabilities: { lib: { via: [via] }, user: { via: ['lib'] } } })
}

describe('the audit', () => {
  it('is content with no advisory, and with a moderate one', () => {
    for (const output of ['{"vulnerabilities":{}}', found('moderate')]) {
      assert.deepEqual(judge(output, [], today), { problems: [], notes: [] })
    }
  })

  it('fails for what is high or critical, and names it', () => {
    for (const severity of ['high', 'critical']) {
      const { problems } = judge(found(severity), [], today)
      assert.deepEqual(problems, [`lib: ${severity}, Bad things (${advisory})`])
    }
  })

  it('accepts an advisory that has an exception, up to its last day', () => {
    assert.deepEqual(judge(found('high'), [exception], today).problems, [])

    const { problems } = judge(found('high'), [{ ...exception, expires: '2026-11-21' }], today)
    assert.deepEqual(problems, [`the exception for ${advisory} expired on 2026-11-21`])
  })

  it('tells of an exception that is not needed', () => {
    const { problems, notes } = judge('{"vulnerabilities":{}}', [exception], today)

    assert.deepEqual([problems.length, notes.length], [0, 1])
  })

  it('says that it could not check, which is no failure; an expired exception still is', () => {
    for (const output of ['', 'no JSON', '{"message":"405 Method Not Allowed"}']) {
      assert.deepEqual(judge(output, [], today), {
        problems: [],
        notes: ['not checked: the registry gave no advisories'],
      })
      const old = [{ ...exception, expires: '2020-01-01' }]
      assert.equal(judge(output, old, today).problems.length, 1)
    }
  })

  it('takes no exception without a reason, an advisory or a day', () => {
    const bad = [
      { ...exception, reason: '' },
      { ...exception, advisory: 'lib' },
      { ...exception, expires: 'some day' },
      { advisory, reason: exception.reason },
    ]
    for (const one of bad) assert.throws(() => judge('', [one], today))
  })
})

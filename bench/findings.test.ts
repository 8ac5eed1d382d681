import assert from 'node:assert/strict'
import { createFindings } from './findings.ts'

describe('findings', () => {
  it('are counted in full and kept in part, however many there are', () => {
    const findings = createFindings('stock adds up')
    for (let n = 0; n < 25_000; n++) findings.add({ purchaseIds: [`p${n}`], what: `wrong ${n}` })

    const { ok, detail, purchaseIds } = findings.toCheck('none', 7)

    assert.equal(ok, false)
    assert.equal(purchaseIds.length, 20_000)
    assert.equal(detail.split('\n').length, 21)
    assert.match(detail, /^wrong 0\nwrong 1\n.*\nand 24987 more$/s)
  })

  it('that were only counted elsewhere break a check too', () => {
    assert.equal(createFindings('stock adds up').toCheck('none', 1).ok, false)
    assert.deepEqual(createFindings('stock adds up').toCheck('none'), {
      name: 'stock adds up',
      ok: true,
      detail: 'none',
      purchaseIds: [],
    })
  })
})

import assert from 'node:assert/strict'
import { formatAmount, minorUnits } from './money.ts'

describe('money', () => {
  for (const [code, digits, text] of [
    ['VND', 0, '125050 VND'],
    ['JPY', 0, '125050 JPY'],
    ['USD', 2, '1250.50 USD'],
    ['KWD', 3, '125.050 KWD'],
  ] as const) {
    it(`${code} has ${digits} decimals`, () => {
      assert.equal(minorUnits(code), digits)
      assert.equal(formatAmount(125_050, code), text)
    })
  }

  it('writes the smallest and the largest amount to the last digit', () => {
    assert.equal(formatAmount(1, 'USD'), '0.01 USD')
    assert.equal(formatAmount(Number.MAX_SAFE_INTEGER, 'VND'), '9007199254740991 VND')
    assert.equal(formatAmount(Number.MAX_SAFE_INTEGER, 'USD'), '90071992547409.91 USD')
  })

  it('knows no currency that does not exist', () => {
    for (const code of ['', 'XYZ', 'dollar']) assert.equal(minorUnits(code), undefined)
  })
})

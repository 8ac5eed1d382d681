import assert from 'node:assert/strict'
import { parseCpuSeconds } from './process-use.ts'

describe('what the kernel says of a process', () => {
  it('reads the CPU of a process whose name has spaces and brackets', () => {
    const stat = '42 (a (b) c) S 1 42 42 0 -1 4194304 10 0 0 0 150 50 20 30 20 0 7 0 100'

    assert.equal(parseCpuSeconds(stat), 2.5)
  })
})

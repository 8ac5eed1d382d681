import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { patchedVersion } from './vendor.ts'

describe('the kafkajs that is installed', () => {
  it('is the version that its patches were written for', () => {
    const { version } = createRequire(import.meta.url)('kafkajs/package.json')

    assert.equal(version, patchedVersion, 'read timer-patch.ts and record-batch-patch.ts again')
  })
})

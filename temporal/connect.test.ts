import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const program = join(import.meta.dirname, '../test/helpers/unavailable-temporal.ts')

describe('a connection to Temporal', function () {
  this.timeout(150_000)

  it('asks a server that is unavailable again until it is closed, and no longer', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 140_000 })

    assert.equal(JSON.parse(stdout).outcome, 'refused')
  })
})

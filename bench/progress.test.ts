import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { stepped } from '../test/helpers/clock.ts'
import { createProgress } from './progress.ts'

/** What a phase prints of which two reports are made at once, and one a tenth of a minute later. */
async function printed({ quiet = false, isTTY = false }): Promise<string> {
  const output = Object.assign(new PassThrough(), { isTTY, columns: 80 })
  const progress = createProgress({ quiet, output })

  progress.say('reconciling')
  progress.start('purchases', 400)
  progress.update(100, 'compared')
  progress.update(200, 'compared')
  await stepped(0.1, () => progress.update(300, 'compared'))
  progress.update(400, 'compared')
  progress.stop()
  return String(output.read() ?? '')
}

describe('the progress of a command', () => {
  it('is a line now and then where a line cannot be overwritten', async () => {
    assert.equal(await printed({}), 'reconciling\npurchases 300/400 compared\n')
  })

  it('is a bar on a terminal, which ends at its last report', async () => {
    const text = await printed({ isTTY: true })

    assert.match(text, /^reconciling\n/)
    assert.match(text, /purchases #{24} 400\/400 compared/)
    assert.doesNotMatch(text, /^purchases \d+\/400/m)
  })

  it('is nothing when nobody asks for it', async () => {
    assert.equal(await printed({ quiet: true }), '')
    assert.equal(await printed({ quiet: true, isTTY: true }), '')
  })
})

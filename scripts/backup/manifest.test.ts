import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkFile, describeFile, makeFolder } from './manifest.ts'

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

describe('the folder of a backup', () => {
  let dir: string

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'saga-backup-'))
  })

  after(() => rm(dir, { recursive: true }))

  it('is its owner’s alone, whether it is new or was there and empty', async () => {
    const fresh = join(dir, 'deep', 'fresh')
    const empty = join(dir, 'empty')
    await mkdir(empty, { mode: 0o755 })

    for (const folder of [fresh, empty]) {
      await makeFolder(folder)
      assert.equal(await modeOf(folder), 0o700, folder)
    }
  })

  it('is left as it is when something is in it', async () => {
    const full = join(dir, 'full')
    await mkdir(full, { mode: 0o755 })
    await writeFile(join(full, 'notes'), '')

    await assert.rejects(makeFolder(full), /is not empty/)
    assert.equal(await modeOf(full), 0o755)
  })

  it('has files that are noticed when they change, or are lost', async () => {
    const folder = join(dir, 'files')
    await makeFolder(folder)
    await writeFile(join(folder, 'order.dump'), 'rows')
    const file = await describeFile(folder, 'order.dump')

    assert.equal(await checkFile(folder, file), join(folder, 'order.dump'))
    await writeFile(join(folder, 'order.dump'), 'ROWS')
    await assert.rejects(checkFile(folder, file), /order.dump of .* is damaged/)
    await rm(join(folder, 'order.dump'))
    await assert.rejects(checkFile(folder, file), /order.dump of .* is damaged/)
  })
})

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from './cache.ts'

describe('the cache of engines', () => {
  const before = process.env.XDG_CACHE_HOME
  let builds = 0
  const lines: string[] = []
  const get = () =>
    cached(
      'thing-1',
      (line) => lines.push(line),
      async (dir) => {
        builds++
        await writeFile(join(dir, 'program'), 'whole')
      },
    )

  beforeEach(async () => {
    process.env.XDG_CACHE_HOME = await mkdtemp(join(tmpdir(), 'cache-test-'))
    builds = 0
    lines.length = 0
  })

  afterEach(async () => {
    await rm(process.env.XDG_CACHE_HOME ?? '', { recursive: true })
    if (before === undefined) delete process.env.XDG_CACHE_HOME
    else process.env.XDG_CACHE_HOME = before
  })

  it('builds once for all who ask at the same time', async () => {
    const dirs = await Promise.all([get(), get(), get()])

    assert.equal(builds, 1)
    assert.equal(new Set(dirs).size, 1)
  })

  it('builds again when a file was cut short, and says so', async () => {
    const program = join(await get(), 'program')
    await writeFile(program, 'who')

    await get()

    assert.equal(await readFile(program, 'utf8'), 'whole')
    assert.ok(lines.some((line) => line.includes('damaged')))
  })

  it('keeps nothing of a build that failed', async () => {
    const broken = cached(
      'thing-1',
      () => {},
      async (dir) => {
        await writeFile(join(dir, 'program'), 'half')
        throw new Error('no network')
      },
    )
    await assert.rejects(broken, /no network/)

    assert.equal(await readFile(join(await get(), 'program'), 'utf8'), 'whole')
  })
})

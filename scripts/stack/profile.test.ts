import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkProfile, parseProfile } from './profile.ts'

describe('the profile of a stack', () => {
  let dataDir: string

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'profile-'))
  })

  afterEach(() => rm(dataDir, { recursive: true }))

  it('is a single one of each engine unless a cluster is asked for', () => {
    assert.equal(parseProfile(''), 'single')
    assert.equal(parseProfile('cluster'), 'cluster')
    assert.throws(() => parseProfile('clusters'), /STACK_PROFILE/)
  })

  it('stays that of the data folder', async () => {
    checkProfile(dataDir, 'cluster')
    checkProfile(dataDir, 'single')
    await mkdir(join(dataDir, 'postgres'))

    checkProfile(dataDir, 'single')
    assert.throws(() => checkProfile(dataDir, 'cluster'), /STACK_PROFILE=single/)

    await rm(join(dataDir, 'postgres'), { recursive: true })
    await mkdir(join(dataDir, 'cluster'))
    assert.throws(() => checkProfile(dataDir, 'single'), /STACK_PROFILE=cluster/)
  })
})

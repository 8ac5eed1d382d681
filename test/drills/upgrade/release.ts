import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../../../scripts/stack/cache.ts'
import type { Log } from '../../../scripts/stack/log.ts'
import { run } from '../../../scripts/stack/run-command.ts'

const checkout = join(import.meta.dirname, '../../..')

/** Code that can run the shop: a folder with its packages, and its own Node. */
export type Code = { name: string; dir: string; node: string }

/** The code of this checkout. */
export const thisCode: Code = { name: 'this code', dir: checkout, node: process.execPath }

const git = async (...args: string[]) => (await run('git', args, { cwd: checkout })).trim()

const subject = /^chore: release (\S+)$/

/** The last release before this code, by the subject of its commit: a clone may have no tags. */
export async function lastRelease(): Promise<{ name: string; commit: string }> {
  const line = await git(
    'log',
    '-1',
    '--format=%h %s',
    '--abbrev=12',
    '--extended-regexp',
    '--grep=^chore: release [^ ]+$',
  )
  const [commit = '', ...words] = line.split(' ')
  const version = subject.exec(words.join(' '))?.[1]
  if (!version) throw new Error('no commit before this code is a release; name one with --from')
  return { name: `v${version}`, commit }
}

async function named(revision: string): Promise<{ name: string; commit: string }> {
  const commit = await git('rev-parse', '--short=12', `${revision}^{commit}`)
  return { name: revision, commit }
}

/** The files of a commit, without packages. */
export async function unpackRelease(commit: string, folder: string): Promise<void> {
  const archive = join(folder, 'release.tar')
  await git('archive', '--output', archive, commit)
  await run('tar', ['-xf', archive, '-C', folder])
  await rm(archive)
}

/** The code of this revision, or of the last release before this code, with the packages that it names, in the cache. */
export async function releasedCode(revision: string | undefined, log: Log): Promise<Code> {
  const { name, commit } = await (revision ? named(revision) : lastRelease())
  const dir = await cached(`release-${commit}`, log, async (fresh) => {
    await unpackRelease(commit, fresh)
    // Installs the packages first.
    await run('npm', ['run', 'generate'], { cwd: fresh })
  })
  return { name, dir, node: join(dir, 'node_modules/node/bin/node') }
}

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { goInstall } from './engines/go.ts'
import type { Log } from './log.ts'
import { run } from './run-command.ts'

const module = 'github.com/prometheus/prometheus'
const version = 'v0.313.5'

/** The machine's own program, or the one of Debian's package, or one that is built from source, which takes minutes. */
async function find(program: string, log: Log): Promise<string> {
  const own = await run(program, ['--version']).then(
    () => program,
    () => undefined,
  )
  if (own) return own
  const debian = await unpackDebian(log).catch(() => undefined)
  if (debian) return join(debian, 'usr/bin', program)
  const built = await cached(`${program}-${version}`, log, (dir) =>
    goInstall(`${module}/cmd/${program}@${version}`, dir, log),
  )
  return join(built, 'bin', program)
}

/** Debian's package, which is not installed: the machine stays as it is. */
function unpackDebian(log: Log): Promise<string> {
  return cached('prometheus-debian-1', log, async (dir) => {
    const debs = join(dir, 'debs')
    await mkdir(debs)
    // Root would otherwise download as a user who may not write here.
    const download = ['-o', 'APT::Sandbox::User=', '--quiet', 'download', 'prometheus']
    await run('apt-get', download, { cwd: debs }).catch(async () => {
      await run('apt-get', ['--quiet', 'update'])
      await run('apt-get', download, { cwd: debs })
    })
    await run('sh', ['-euc', `for each in *.deb; do dpkg -x "$each" ${dir}; done`], { cwd: debs })
    await rm(debs, { recursive: true })
    await rm(join(dir, 'etc'), { recursive: true, force: true })
  })
}

export const findPrometheus = (log: Log): Promise<string> => find('prometheus', log)

/** Checks and tests rules. */
export const findPromtool = (log: Log): Promise<string> => find('promtool', log)

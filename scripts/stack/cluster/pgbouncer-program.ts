import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cached } from '../cache.ts'
import { unpackDebian } from '../debian-packages.ts'
import type { Log } from '../log.ts'
import { run } from '../run-command.ts'

/** The first that keeps prepared statements in transaction mode. */
const oldest = { major: 1, minor: 21 }
const release = 'trixie'
/** With every library that it loads, the C library included, so that the machine's own may be older. */
const packages = [
  'pgbouncer',
  'libc6',
  'libevent-2.1-7t64',
  'libcares2',
  'libssl3t64',
  'zlib1g',
  'libzstd1',
  'libpam0g',
  'libaudit1',
  'libcap-ng0',
  'libsystemd0',
  'libcap2',
  'libgcc-s1',
]

/** How PgBouncer is run: with the arguments that come before its own. */
export type Program = { command: string; args: string[] }

/** The folder in the cache that Debian's package and its libraries are unpacked into. */
export function pgbouncerPackage(log: Log): Promise<string> {
  return cached(`pgbouncer-${release}-1`, log, (fresh) =>
    unpackDebian(fresh, { [release]: packages }),
  )
}

/** The machine's own PgBouncer if it is new enough, else Debian's package, which is not installed. */
export async function findPgbouncer(log: Log): Promise<Program> {
  const output = await run('pgbouncer', ['--version']).catch(() => '')
  const [, major = 0, minor = 0] = (/PgBouncer (\d+)\.(\d+)/.exec(output) ?? []).map(Number)
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) {
    return { command: 'pgbouncer', args: [] }
  }
  const dir = await pgbouncerPackage(log).catch((cause) => {
    const hint = `install PgBouncer ${oldest.major}.${oldest.minor} or newer`
    throw new Error(`${hint}: Debian's package cannot be had`, { cause })
  })
  const [loader] = await Array.fromAsync(glob('usr/lib/*/ld-linux-*.so.*', { cwd: dir }))
  if (!loader) throw new Error(`there is no dynamic loader in ${dir}`)
  const libraries = join(dir, dirname(loader))
  return {
    command: join(dir, loader),
    args: ['--library-path', libraries, join(dir, 'usr/sbin/pgbouncer')],
  }
}

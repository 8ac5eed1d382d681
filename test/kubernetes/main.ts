import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheDir } from '../../scripts/stack/cache.ts'
import { takeLock } from '../../scripts/stack/lock.ts'
import { runInside } from '../containers/enter.ts'
import { pinnedImages } from '../containers/images.ts'
import { collectParts } from '../containers/parts.ts'
import { missingRequirements } from '../containers/requirements.ts'
import type { Input } from './inside.ts'
import { collectNodeParts } from './parts.ts'

/*
 * `npm run kubernetes-test`: applies deploy/kubernetes/overlays/local to a Kubernetes of one node that is brought up for
 * the occasion, and uses the shop. docs/kubernetes-test.md tells what it shows.
 */

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } })
const missing = await missingRequirements()
if (missing.length > 0) {
  console.error(`NOT RUN: Kubernetes can be tested here with ${missing.join(', ')}`)
  process.exit(1)
}

const startedAt = Date.now()
const log = (line: string) =>
  console.log(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}`)
// Docker Engine keeps its images where the test of docker-compose.yml has them.
const data = join(cacheDir(), 'containers')
const file = join(cacheDir(), 'kubernetes-test/images.tar')
const failed = join(cacheDir(), 'kubernetes-test/failed')
const program = join(import.meta.dirname, 'inside.ts')
const lock = await takeLock(data, () => log('another test of containers runs, waiting'))
try {
  const images = await pinnedImages()
  const version = (name: string) =>
    images.find((image) => image.startsWith(`${name}:`))?.slice(name.length + 1) ?? ''
  const versions = { temporal: version('temporalio/server'), temporalUi: version('temporalio/ui') }
  const node = await collectNodeParts(log)
  const parts = await collectParts(versions, log)
  log('everything that the node and the images are made of is there')
  const input = { parts, node, data, file, failed, startedAt }
  for (const work of ['images', 'steps'] as const) {
    const keep = values.keep && work === 'steps'
    const all: Input = { ...input, work, keep }
    process.exitCode = await runInside(parts, program, all, { keep })
    if (process.exitCode !== 0) break
  }
} finally {
  await rm(file, { force: true })
  lock.release()
}

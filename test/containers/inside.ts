import { join } from 'node:path'
import { buildShop, steps } from './checks.ts'
import { clusterSteps } from './cluster.ts'
import type { Context } from './context.ts'
import { startEngine } from './engine.ts'
import { makeImages } from './images.ts'
import type { Parts } from './parts.ts'
import { openProject, type Profile } from './project.ts'
import { shopFolder, upgradeSteps } from './upgrade.ts'

/* What main.ts runs in namespaces of its own: the engine, the images, then every check. */

type Input = {
  parts: Parts
  data: string
  profile: Profile
  measure: boolean
  upgrade: boolean
  cluster: boolean
  startedAt: number
}

const { parts, data, profile, measure, upgrade, cluster, startedAt }: Input = JSON.parse(
  process.argv[2] ?? '',
)
const folder = upgrade ? shopFolder : join(import.meta.dirname, '../..')
const files = ['docker-compose.yml', ...(cluster ? ['deploy/cluster/docker-compose.yml'] : [])]
const chosen = upgrade ? upgradeSteps : cluster ? clusterSteps : steps
const log = (line: string) =>
  console.log(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}`)

let passed = 0
let failed = 0
const engine = await startEngine(parts, data)
try {
  log(`Docker Engine ${engine.version}`)
  await makeImages(engine, parts, (image) => log(`made ${image}`))
  const project = await openProject(engine, profile, folder, files)
  const urls = { shop: 'http://localhost', mail: 'http://localhost:8025' }
  const context: Context = { project, measure, log, urls }
  if (!upgrade) await buildShop(context)
  for (const [title, check] of chosen) {
    try {
      await check(context)
      passed++
      log(`✔ ${title}`)
    } catch (error) {
      failed++
      log(`✘ ${title}\n${(error as Error).stack}\n${(error as Error).cause ?? ''}`)
      console.log(await context.project.compose('ps', '--all').catch(String))
      break
    }
  }
} catch (error) {
  failed++
  console.error(error)
} finally {
  await engine.close()
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

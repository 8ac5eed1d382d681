import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Parts } from '../containers/parts.ts'
import { addOns } from './add-ons.ts'
import { openCluster } from './cluster.ts'
import type { Context } from './context.ts'
import { kubeconfig, openKubeadm, startControlPlane } from './control-plane.ts'
import { createDaemons, logFolder } from './daemons.ts'
import { writeImages } from './images.ts'
import { prepareMachine } from './machine.ts'
import { copyManifests } from './manifests.ts'
import { nodeEnv, startContainerd, startNode } from './node.ts'
import type { NodeParts } from './parts.ts'
import { steps } from './steps.ts'

/*
 * What main.ts runs in namespaces of its own, twice: Docker Engine to make the images, then the node with its steps. The
 * second time nothing of the engine is left in the network.
 */

export type Input = {
  work: 'images' | 'steps'
  parts: Parts
  node: NodeParts
  /** Where Docker Engine keeps its images, and a file for those of the node. */
  data: string
  file: string
  /** Where the logs of a run that failed are kept. */
  failed: string
  /** Whether the cluster stays up after the last step, or the first that failed. */
  keep: boolean
  startedAt: number
}

const { work, parts, node, data, file, failed, keep, startedAt }: Input = JSON.parse(
  process.argv[2] ?? '',
)
const log = (line: string) =>
  console.log(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${line}`)

async function takeSteps(): Promise<boolean> {
  await prepareMachine()
  const env = await nodeEnv(parts, node)
  const daemons = await createDaemons(env)
  const cluster = openCluster(env)
  let succeeded = false
  try {
    await startContainerd(parts, node, daemons, cluster.containerdIsUp)
    await cluster.importImages(file)
    log('the images are imported')
    const kubeadm = await openKubeadm(node)
    await startControlPlane(node, daemons, kubeadm)
    log('the control plane is ready')
    await startNode(node, daemons, cluster.nodeIsReady)
    await copyManifests()
    await addOns(cluster, kubeadm)
    log('the node is ready')
    succeeded = await runSteps({ cluster, log, urls: { shop: '', mail: '' } })
  } catch (error) {
    console.error(error)
  }
  if (!succeeded) await keepLogs()
  if (keep) {
    log(`kept until Ctrl-C: KUBECONFIG=${kubeconfig('super-admin')} ${node.kubernetes}/kubectl`)
    await new Promise(() => {})
  }
  await daemons.stop()
  return succeeded
}

async function keepLogs(): Promise<void> {
  await rm(failed, { recursive: true, force: true })
  await cp(logFolder, failed, { recursive: true })
  await cp('/var/log/pods', join(failed, 'pods'), { recursive: true }).catch(() => {})
  log(`the logs are in ${failed}`)
}

async function runSteps(context: Context): Promise<boolean> {
  let passed = 0
  for (const [title, step] of steps) {
    try {
      await step(context)
      passed++
      log(`✔ ${title}`)
    } catch (error) {
      log(`✘ ${title}\n${(error as Error).stack}\n${(error as Error).cause ?? ''}`)
      console.log(await context.cluster.describe())
      break
    }
  }
  console.log(`${passed} passed, ${passed === steps.length ? 0 : 1} failed`)
  return passed === steps.length
}

if (work === 'images') {
  await writeImages(parts, node, { data, file }, log)
  log('the images are written')
  process.exit(0)
}
process.exit((await takeSteps()) ? 0 : 1)

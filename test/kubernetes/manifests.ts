import { cp, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { runFolder } from '../containers/enter.ts'
import type { Cluster } from './cluster.ts'

const source = join(import.meta.dirname, '../../deploy/kubernetes')
const folder = join(runFolder, 'kubernetes')
const overlay = join(folder, 'overlays/local')
/** What the shop requests, twice, while a release replaces all pods, with what a cluster needs itself. */
const coresForRelease = 8

type Container = { resources?: { requests?: { cpu?: string } } }
type PodSpec = { containers: Container[]; initContainers?: Container[] }
type Claim = { spec: { resources: { requests: { storage: string } } } }
type Template = {
  spec?: { template?: { spec?: PodSpec }; replicas?: number; volumeClaimTemplates?: Claim[] }
}

/** The part of its requests that this machine can keep for each pod: a scheduler refuses what does not fit. */
export const shareOfRequests = Math.min(1, availableParallelism() / coresForRelease)

const parse = (yaml: string) =>
  parseAllDocuments(yaml).map((document) => document.toJS() as Template)

/** Lowers requests of CPU in proportion, so that pods share a small machine as they would share a larger one. */
function scaleToMachine(yaml: string): string {
  if (shareOfRequests === 1) return yaml
  const documents = parse(yaml)
  for (const document of documents) {
    const pod = document.spec?.template?.spec
    for (const { resources } of [...(pod?.containers ?? []), ...(pod?.initContainers ?? [])]) {
      const cpu = resources?.requests?.cpu
      if (!resources?.requests || !cpu) continue
      const millis = cpu.endsWith('m') ? Number(cpu.slice(0, -1)) : Number(cpu) * 1000
      resources.requests.cpu = `${Math.ceil(millis * shareOfRequests)}m`
    }
  }
  return documents.map((document) => JSON.stringify(document)).join('\n---\n')
}

/** A copy of the manifests, which an operator would edit. */
export async function copyManifests(): Promise<void> {
  await cp(source, folder, { recursive: true })
}

/** Does what an operator does with an editor: sets the tag of the shop's image. */
export async function setTag(tag: string): Promise<void> {
  const file = join(overlay, 'kustomization.yaml')
  const yaml = await readFile(file, 'utf8')
  await writeFile(file, yaml.replace(/(name: saga-orchestration, newTag: )[^ ]+/, `$1${tag}`))
}

const build = (cluster: Cluster) => cluster.kubectl('kustomize', overlay)

/** Does what `kubectl apply -k` does. */
export async function applyOverlay(cluster: Cluster): Promise<void> {
  await cluster.write('apply', 'manifests', scaleToMachine(await build(cluster)))
}

/** The size of each volume that the pods of the overlay claim. */
export async function claimedVolumes(cluster: Cluster): Promise<string[]> {
  return parse(await build(cluster)).flatMap(({ spec }) => {
    const sizes = (spec?.volumeClaimTemplates ?? []).map((it) => it.spec.resources.requests.storage)
    return Array.from({ length: spec?.replicas ?? 1 }, () => sizes).flat()
  })
}

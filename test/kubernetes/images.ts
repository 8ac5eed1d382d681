import { copyFile, cp, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startEngine } from '../containers/engine.ts'
import { runFolder } from '../containers/enter.ts'
import { makeImages, pinnedImages } from '../containers/images.ts'
import type { Parts } from '../containers/parts.ts'
import { corednsVersion, type NodeParts } from './parts.ts'

/*
 * The images of the node, in one file: those of `npm run compose-test`, the shop's own twice, and two of Kubernetes.
 */

const checkout = join(import.meta.dirname, '../..')
export const pauseImage = 'saga.example/pause:1'
/** As the add-on of kubeadm names it. */
const corednsImage = `registry.k8s.io/coredns/coredns:${corednsVersion}`
/** Of docker-compose.yml, which Kubernetes does not have. */
const composeOnly = /^(node|obsidiandynamics\/kafdrop):/

/** The image of the shop that the overlay names, and the one of the release after it. */
export async function shopImages(): Promise<[now: string, next: string]> {
  const overlay = join(checkout, 'deploy/kubernetes/overlays/local/kustomization.yaml')
  const yaml = await readFile(overlay, 'utf8')
  const tag = /name: saga-orchestration, newTag: ([\w.-]+)/.exec(yaml)?.[1]
  if (!tag) throw new Error('the overlay names no tag of the shop')
  return [`saga-orchestration:${tag}`, `saga-orchestration:${tag}-next`]
}

/** Makes all images in Docker Engine and writes them to a file. */
export async function writeImages(
  parts: Parts,
  node: NodeParts,
  { data, file }: { data: string; file: string },
  log: (line: string) => void,
): Promise<void> {
  const engine = await startEngine(parts, data)
  const { docker } = engine
  try {
    await makeImages(engine, parts, (image) => log(`made ${image}`))
    const own: [image: string, folder: string, program: string][] = [
      [pauseImage, 'pause', node.pause],
      [corednsImage, 'coredns', node.coredns],
    ]
    for (const [image, folder, program] of own) {
      const context = join(runFolder, folder)
      await cp(join(import.meta.dirname, 'stand-ins', folder), context, { recursive: true })
      await copyFile(program, join(context, folder))
      await docker('build', '--quiet', '--tag', image, context)
    }

    const [now, next] = await shopImages()
    await docker('build', '--tag', now, checkout)
    log(`built ${now}`)
    await docker('tag', now, next)

    const pinned = (await pinnedImages()).filter((image) => !composeOnly.test(image))
    await mkdir(join(file, '..'), { recursive: true })
    await rm(file, { force: true })
    await docker('save', '--output', file, ...pinned, pauseImage, corednsImage, now, next)
  } finally {
    await engine.close()
  }
}

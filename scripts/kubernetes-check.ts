import { join } from 'node:path'
import { build, manifestsFolder, overlays, validate } from './kubernetes/manifests.ts'
import { kubernetesTools, kubernetesVersions } from './kubernetes/tools.ts'

/*
 * `npm run kubernetes-check`: deploy/kubernetes as kustomize builds it, against the schemas of Kubernetes. No cluster is
 * needed, and nothing is fetched but the tools, once.
 */

try {
  const tools = await kubernetesTools(console.log)
  for (const overlay of overlays) {
    const yaml = await build(tools, join(manifestsFolder, 'overlays', overlay))
    await validate(tools, yaml)
    const count = yaml.split(/^---$/m).length
    console.log(
      `${overlay}: ${count} objects, good for Kubernetes ${kubernetesVersions.join(', ')}`,
    )
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

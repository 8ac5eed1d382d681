import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../stack/run-command.ts'
import { kubernetesVersions, type Tools } from './tools.ts'

/** deploy/kubernetes of this checkout. */
export const manifestsFolder = join(import.meta.dirname, '../../deploy/kubernetes')

export const overlays = ['local', 'production'] as const

/** What `kubectl apply -k` would send for a kustomization. Throws with kustomize's message. */
export function build({ kustomize }: Tools, folder: string): Promise<string> {
  return run(kustomize, ['build', folder])
}

/** Throws unless each document is a valid object of every version, without a field that it does not know. */
export async function validate({ kubeconform, schemas }: Tools, yaml: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'manifests-'))
  try {
    const file = join(dir, 'manifests.yaml')
    await writeFile(file, yaml)
    for (const version of kubernetesVersions) {
      const location = join(schemas, version, '{{.ResourceKind}}{{.KindSuffix}}.json')
      await run(kubeconform, ['-strict', '-schema-location', location, file])
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

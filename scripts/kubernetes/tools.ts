import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../stack/cache.ts'
import { goInstall } from '../stack/engines/go.ts'
import type { Log } from '../stack/log.ts'
import { pipInstall } from '../stack/run-command.ts'

/** The newest that Go 1.26 builds. */
const kustomizeVersion = 'v5.8.1'
const kubeconformVersion = 'v0.8.0'
const schemasVersion = '1.37.0'

/** The oldest and the newest Kubernetes that the manifests are for. */
export const kubernetesVersions = ['1.33.0', '1.37.0'] as const

/** Programs and schemas, without which no manifest can be read as Kubernetes reads it. */
export type Tools = { kustomize: string; kubeconform: string; schemas: string }

/** Names a schema by a path beside it, so that nothing is fetched. */
function offline(schema: string): string {
  const { $id, ...rest } = JSON.parse(schema) as Record<string, unknown>
  return JSON.stringify(rest).replaceAll('"/api/_definitions.json#', '"_definitions.json#')
}

/** The schemas of Kubernetes in which no unknown field is valid, a folder for each version. */
function schemas(log: Log): Promise<string> {
  return cached(`kubernetes-schemas-${schemasVersion}`, log, async (dir) => {
    const fresh = join(dir, 'package')
    await pipInstall(`kubernetes-validate==${schemasVersion}`, fresh, '--no-deps')
    for (const version of kubernetesVersions) {
      const from = join(
        fresh,
        `kubernetes_validate/kubernetes-json-schema/v${version}-local-strict`,
      )
      const to = join(dir, version)
      await mkdir(to)
      for (const name of await readdir(from)) {
        await writeFile(join(to, name), offline(await readFile(join(from, name), 'utf8')))
      }
    }
    await rm(fresh, { recursive: true })
  })
}

function program(name: string, version: string, module: string, log: Log): Promise<string> {
  return cached(`${name}-${version}`, log, (dir) => {
    log(`${name} is built from source: about a minute, once per machine`)
    return goInstall(`${module}@${version}`, dir, log)
  }).then((dir) => join(dir, 'bin', name))
}

/** Builds and downloads what is not in the cache. */
export async function kubernetesTools(log: Log = () => {}): Promise<Tools> {
  return {
    kustomize: await program(
      'kustomize',
      kustomizeVersion,
      'sigs.k8s.io/kustomize/kustomize/v5',
      log,
    ),
    kubeconform: await program(
      'kubeconform',
      kubeconformVersion,
      'github.com/yannh/kubeconform/cmd/kubeconform',
      log,
    ),
    schemas: await schemas(log),
  }
}

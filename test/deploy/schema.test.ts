import assert from 'node:assert/strict'
import { cp, glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { parse } from 'yaml'
import { build, manifestsFolder, overlays, validate } from '../../scripts/kubernetes/manifests.ts'
import { kubernetesTools, type Tools } from '../../scripts/kubernetes/tools.ts'
import { overlayText, toolsTimeoutMs } from './manifests.ts'

type Kustomization = {
  resources?: string[]
  configMapGenerator?: { envs?: string[]; files?: string[] }[]
  patches?: { path: string }[]
}

describe('deploy/kubernetes', function () {
  this.timeout(toolsTimeoutMs)

  let tools: Tools
  let copy: string

  before(async () => {
    tools = await kubernetesTools()
    copy = await mkdtemp(join(tmpdir(), 'kubernetes-'))
  })

  after(() => rm(copy, { recursive: true, force: true }))

  /** The overlay, after a change of one file. */
  async function changed(file: string, from: string, to: string): Promise<string> {
    const folder = await mkdtemp(join(copy, 'changed-'))
    await cp(manifestsFolder, folder, { recursive: true })
    const path = join(folder, file)
    const text = await readFile(path, 'utf8')
    assert.ok(text.includes(from), `${file} has no ${from}`)
    await writeFile(path, text.replace(from, to))
    return join(folder, 'overlays/local')
  }

  for (const overlay of overlays) {
    it(`is valid for Kubernetes as ${overlay}`, async () => {
      await validate(tools, await overlayText(overlay))
    })
  }

  for (const [file, field, misspelt] of [
    ['base/services/account.yaml', 'containerPort: 3001', 'containerport: 3001'],
    ['base/patches/service.yaml', 'readinessProbe:', 'readynessProbe:'],
    ['base/network.yaml', 'podSelector: {}', 'podSelectors: {}'],
    ['overlays/local/engines/kafka.yaml', 'volumeClaimTemplates:', 'volumeClaimTemplate:'],
  ] as const) {
    it(`would not be with ${misspelt} in ${file}`, async () => {
      const yaml = await build(tools, await changed(file, field, misspelt))

      const wrong = misspelt.replace(/:.*/, '')
      await assert.rejects(validate(tools, yaml), ({ message }: Error) => message.includes(wrong))
    })
  }

  it('would not be built with a field that no kustomization has', async () => {
    const folder = await changed('base/kustomization.yaml', 'patches:', 'patchs:')

    await assert.rejects(build(tools, folder), ({ message }: Error) => message.includes('patchs'))
  })

  it('has no file that no kustomization names', async () => {
    const files = await Array.fromAsync(glob('**/*.*', { cwd: manifestsFolder }))
    const kustomizations = files.filter((file) => file.endsWith('kustomization.yaml'))
    const named = await Promise.all(
      kustomizations.map(async (file) => {
        const text = await readFile(join(manifestsFolder, file), 'utf8')
        const {
          resources = [],
          configMapGenerator = [],
          patches = [],
        } = parse(text) as Kustomization
        const paths = [
          ...resources,
          ...configMapGenerator.flatMap(({ envs = [], files: all = [] }) => [
            ...envs,
            ...all.map((pair) => pair.replace(/^.*=/, '')),
          ]),
          ...patches.map(({ path }) => path),
        ]
        return [file, ...paths.map((path) => join(dirname(file), path))]
      }),
    )

    assert.equal(kustomizations.length, 1 + overlays.length)
    const unnamed = files.filter((file) => !named.flat().includes(relative('', file)))
    assert.deepEqual(unnamed, [])
  })
})

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { composeSecrets } from '../../scripts/compose-env.ts'
import { localSecrets } from '../../scripts/kubernetes/secrets.ts'
import { kubernetesVersions } from '../../scripts/kubernetes/tools.ts'
import { checkout, codes, readDocument, rowsOf } from '../docs/markdown.ts'
import { containersOf, type Manifests, readOverlay, toolsTimeoutMs } from './manifests.ts'

/** A quantity of Kubernetes, in cores or GiB. */
function amountOf(quantity: string): number {
  const [, number, unit = ''] = /^(\d+)(m|Mi|Gi)$/.exec(quantity) ?? []
  assert.ok(number, `${quantity} is no quantity`)
  return Number(number) / ({ m: 1000, Mi: 1024 }[unit] ?? 1)
}

describe('docs/kubernetes.md', function () {
  this.timeout(toolsTimeoutMs)

  let text: string
  let local: Manifests
  let production: Manifests

  before(async () => {
    text = await readDocument('docs/kubernetes.md')
    local = await readOverlay('local')
    production = await readOverlay('production')
  })

  /** `<name>/<key>` of every Secret that pods refer to. */
  const referred = (manifests: Manifests) =>
    new Set(
      manifests.workloads.flatMap(({ spec }) =>
        containersOf(spec.template.spec).flatMap((container) =>
          Object.values(manifests.secretVariables(container)).map(
            ({ name, key }) => `${name}/${key}`,
          ),
        ),
      ),
    )

  const mounted = (manifests: Manifests) =>
    manifests.workloads.flatMap(({ spec }) =>
      (spec.template.spec.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []),
    )

  it('lists the Secrets of production with their keys', () => {
    const rows = rowsOf(text.replace(/^ +\|/gm, '|'), 'Secret', 'keys', 'for')
    const documented = rows.flatMap(({ Secret, keys }) =>
      codes(Secret).flatMap((name) => codes(keys).map((key) => `${name}/${key}`)),
    )

    const needed = [...referred(production), 'shop-tls/tls.crt', 'shop-tls/tls.key']
    assert.deepEqual(mounted(production), ['shop-tls'])
    assert.deepEqual(documented.sort(), needed.sort())
  })

  it('makes with npm run kubernetes-secrets what local needs, and the token of its operator', () => {
    const made = localSecrets(composeSecrets()).flatMap(({ metadata, stringData }) =>
      Object.keys(stringData).map((key) => `${metadata.name}/${key}`),
    )

    const unused = made.filter((secret) => !referred(local).has(secret))
    const files = unused.filter((secret) => mounted(local).includes(secret.split('/')[0] ?? ''))
    assert.deepEqual(mounted(local), ['postgres'])
    assert.deepEqual(
      unused.filter((secret) => !files.includes(secret)),
      ['operator-token/token'],
    )
    for (const secret of referred(local)) assert.ok(made.includes(secret), secret)
  })

  it('names what exists in its commands', () => {
    const lines = [...text.matchAll(/kubectl [^`\n]+/g)].map(([command]) => command)
    const services = lines.flatMap((line) => [...line.matchAll(/service\/([\w-]+)/g)])
    const deployments = lines.flatMap((line) => [...line.matchAll(/deployment\/([\w-]+)/g)])
    const folders = lines.flatMap((line) => [...line.matchAll(/-k (\S+)/g)])

    assert.ok(lines.length > 15)
    for (const [, name = ''] of services) local.find('Service', name)
    for (const [, name = ''] of deployments) production.find('Deployment', name)
    for (const [, folder = ''] of folders) assert.ok(existsSync(join(checkout, folder)), folder)
    for (const line of lines.filter((each) => each.includes(' -n '))) {
      assert.ok(line.includes('kubectl -n shop '), line)
    }
    const forwarded = lines.flatMap((line) => [...line.matchAll(/service\/([\w-]+) ([\d: ]+)/g)])
    for (const [, name = '', pairs = ''] of forwarded) {
      const ports = (local.find('Service', name).spec.ports as { port: number }[]).map(
        ({ port }) => port,
      )
      for (const pair of pairs.trim().split(' ')) {
        assert.ok(ports.includes(Number(pair.split(':')[1])), `${name} ${pair}`)
      }
    }
  })

  it('tells what the pods of local request, and what they are limited to', () => {
    const sum = (resource: 'cpu' | 'memory', kind: 'requests' | 'limits') =>
      local.workloads
        .filter(({ kind: each }) => each !== 'Job')
        .flatMap(({ spec }) => {
          const quantities = spec.template.spec.containers.map(
            ({ resources }) => resources[kind][resource] ?? 'none',
          )
          return quantities.map((quantity) => (spec.replicas ?? 1) * amountOf(quantity))
        })
        .reduce((total, amount) => total + amount, 0)

    const cores = sum('cpu', 'requests').toFixed(1)
    const [requested, limit] = (['requests', 'limits'] as const).map((kind) =>
      sum('memory', kind).toFixed(1),
    )

    const said = `request ${cores} cores and ${requested} GiB, and are limited to ${limit} GiB`
    assert.ok(text.includes(said), said)
  })

  it('tells the versions of Kubernetes and of the image that the manifests are for', async () => {
    const { version } = JSON.parse(await readDocument('package.json'))
    const [oldest, newest] = kubernetesVersions.map((each) => each.replace(/\.0$/, ''))

    assert.ok(text.includes(`Kubernetes ${oldest} and ${newest}`))
    assert.ok(text.includes(`Kubernetes ${oldest} or newer`))
    assert.ok(text.includes(`docker build --tag saga-orchestration:${version} .`))
  })
})

import assert from 'node:assert/strict'
import { serviceNames } from '../../scripts/stack/services.ts'
import { partitionsPerTopic } from '../../shared/contracts/topics.ts'
import { readComposeFile } from '../compose/compose-file.ts'
import { readDocument } from '../docs/markdown.ts'
import { type Manifests, readOverlay, toolsTimeoutMs } from './manifests.ts'

describe('the proxies and replicas of a cluster', function () {
  this.timeout(toolsTimeoutMs)

  let local: Manifests
  let production: Manifests

  before(async () => {
    local = await readOverlay('local')
    production = await readOverlay('production')
  })

  it('start with the arguments of compose, apart from what keeps operators and gRPC inside', async () => {
    const setting = (argument: string) => argument.replace(/(address=).*/, '$1')
    const { services } = await readComposeFile()
    const expected = (services.traefik?.command ?? [])
      .filter((argument) => argument !== '--api.insecure=true')
      .map(setting)
    const graces = ['web', 'cdn'].map(
      (name) => `--entryPoints.${name}.transport.lifeCycle.requestAcceptGraceTimeout=5s`,
    )

    const plain = local.container('traefik').args?.filter((each) => each !== '--api.insecure=true')

    assert.deepEqual(plain?.map(setting).sort(), [...expected, ...graces].sort())
    const args = production.container('traefik').args ?? []
    assert.ok(args.includes('--entryPoints.operators.address=127.0.0.1:8082'))
    assert.ok(args.includes('--entryPoints.grpc.address=127.0.0.1:9090'))
    assert.ok(!args.some((argument) => argument.startsWith('--api')))
  })

  it('route gRPC by the same names to the same services', async () => {
    const routes = await readDocument('traefik.yml')
    const routers = routes.matchAll(/`service-name`, `([^`]+)`\)\n +service: (\w+)-grpc/g)
    const rules = production.find('Ingress', 'grpc').spec.rules as {
      http: { paths: { path: string; backend: { service: { name: string } } }[] }
    }[]

    const paths = rules.flatMap(({ http }) =>
      http.paths.map(({ path, backend }) => [path, backend.service.name]),
    )

    const expected = [...routers].map(([, name, service]) => [`/${name}`, service])
    assert.equal(expected.length, 7)
    assert.deepEqual(paths.sort(), expected.sort())
    for (const [, service] of expected) {
      const { annotations = {} } = production.find('Service', service ?? '').metadata
      assert.equal(annotations['traefik.ingress.kubernetes.io/service.serversscheme'], 'h2c')
    }
  })

  it('have no more replicas than partitions, and start as many purchases as orchestrators allow', () => {
    const scaled = production.ofKind('HorizontalPodAutoscaler')
    const orchestrators = Number(production.workload('orchestrator').spec.replicas)
    const { MAX_STARTED_PURCHASES } = production.environment(production.container('purchase'))
    const { MAX_STARTED_PURCHASES: ofOne } = local.environment(local.container('purchase'))

    const names = scaled.map(({ metadata }) => metadata.name)
    assert.deepEqual(
      [...names, 'orchestrator'].sort(),
      serviceNames.toSorted(),
      'a service is not scaled',
    )
    for (const { spec, metadata } of scaled) {
      assert.ok(Number(spec.maxReplicas) <= partitionsPerTopic, metadata.name)
      assert.ok(Number(spec.minReplicas) >= 2, metadata.name)
      // Otherwise each `kubectl apply` would undo what was scaled.
      assert.equal(production.workload(metadata.name).spec.replicas, undefined, metadata.name)
    }
    assert.equal(Number(MAX_STARTED_PURCHASES), Number(ofOne) * orchestrators)
  })
})

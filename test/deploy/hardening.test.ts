import assert from 'node:assert/strict'
import { serviceNames } from '../../scripts/stack/services.ts'
import { readDocument } from '../docs/markdown.ts'
import {
  containersOf,
  type Manifest,
  type Manifests,
  readOverlay,
  toolsTimeoutMs,
} from './manifests.ts'

/** They write to their own file system when they start, in compose too. */
const writable = ['kafka', 'minio']

for (const overlay of ['local', 'production'] as const) {
  describe(`every pod of deploy/kubernetes/overlays/${overlay}`, function () {
    this.timeout(toolsTimeoutMs)

    let manifests: Manifests
    let pods: [string, Manifest['spec']['template']['spec']][]

    before(async () => {
      manifests = await readOverlay(overlay)
      pods = manifests.workloads.map(({ metadata, spec }) => [metadata.name, spec.template.spec])
    })

    it('is not root, gains nothing, and has the profile of the runtime', () => {
      for (const [name, spec] of pods) {
        const { runAsNonRoot, runAsUser, seccompProfile } = spec.securityContext
        assert.equal(runAsNonRoot, true, name)
        assert.ok(Number(runAsUser) > 0, name)
        assert.deepEqual(seccompProfile, { type: 'RuntimeDefault' }, name)
        for (const { securityContext } of containersOf(spec)) {
          assert.equal(securityContext.allowPrivilegeEscalation, false, name)
          assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, name)
          const readOnly = writable.includes(name) ? undefined : true
          assert.equal(securityContext.readOnlyRootFilesystem, readOnly, name)
        }
      }
    })

    it('requests CPU and memory, and is limited in memory alone, since a limit of CPU delays', () => {
      for (const [name, spec] of pods) {
        for (const { resources } of containersOf(spec)) {
          assert.deepEqual(Object.keys(resources.requests).sort(), ['cpu', 'memory'], name)
          assert.deepEqual(Object.keys(resources.limits), ['memory'], name)
        }
      }
    })

    it('of a service requests at least the memory that it used in the last benchmark', async () => {
      const results = await readDocument('RESULTS.md')
      for (const name of serviceNames) {
        const row = new RegExp(`^\\| ${name} (?:\\|[^|]*){2}\\| (\\d+) \\| (\\d+) \\|$`, 'm')
        const [, , most] = row.exec(results) ?? []
        assert.ok(most, `RESULTS.md has no ${name}`)
        const { memory } = manifests.container(name).resources.requests
        assert.ok(Number(memory?.replace(/Mi$/, '')) >= Number(most), `${name}: ${most} MB`)
      }
    })

    it('has no token of the cluster, except the proxy that looks for pods', () => {
      const withToken = pods.filter(([, spec]) => spec.automountServiceAccountToken !== false)

      assert.deepEqual(
        withToken.map(([name, { serviceAccountName }]) => [name, serviceAccountName]),
        [['traefik-grpc', 'traefik-grpc']],
      )
      const rights = manifests.find('Role', 'traefik-grpc').rules ?? []
      assert.ok(rights.every(({ verbs }) => verbs.every((it) => /^(get|list|watch)$/.test(it))))
      assert.deepEqual(manifests.ofKind('ClusterRole'), [])
    })

    it('gets no variables from the names of Services, except where it needs their addresses', () => {
      const linked = pods.filter(([, { enableServiceLinks }]) => enableServiceLinks !== false)

      const expected = overlay === 'local' ? ['redis', 'redis-cluster'] : []
      assert.deepEqual(linked.map(([name]) => name).sort(), expected)
    })

    it('of a service is asked at the paths that it has', async () => {
      const operations = await readDocument('shared/http/operations.ts')
      for (const name of serviceNames) {
        const { startupProbe, livenessProbe, readinessProbe } = manifests.container(name)
        const paths = [startupProbe, livenessProbe, readinessProbe].map((it) => it?.httpGet?.path)
        assert.deepEqual(paths, ['/health/live', '/health/live', '/health/ready'], name)
        for (const path of paths) assert.ok(operations.includes(`'${path}'`), path)
        // Longer than a check of the process itself.
        assert.ok(Number(readinessProbe?.timeoutSeconds) > 2)
      }
    })

    it('of a service ends after its drain, is spread over nodes, and is evicted one at a time', async () => {
      const lifecycle = await readDocument('shared/runtime/lifecycle.ts')
      const [, drain = ''] = /drainDeadlineMs = ([\d_]+)/.exec(lifecycle) ?? []
      const drainMs = Number(drain.replaceAll('_', ''))
      for (const name of serviceNames) {
        const spec = manifests.workload(name).spec.template.spec
        assert.ok(Number(spec.terminationGracePeriodSeconds) * 1000 > drainMs, name)
        const spread = spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)
        assert.deepEqual(spread, ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'], name)
        const { spec: budget } = manifests.find('PodDisruptionBudget', name)
        assert.equal(budget.maxUnavailable, 1)
        const { labels } = manifests.workload(name).spec.template.metadata
        for (const [label, value] of Object.entries(budget.selector.matchLabels)) {
          assert.equal(labels[label], value, name)
        }
      }
      assert.ok(drainMs >= 10_000)
    })

    it('is probed for readiness, or runs once', () => {
      for (const { kind, metadata, spec } of manifests.workloads) {
        const [container] = spec.template.spec.containers
        if (kind === 'Job') {
          assert.equal(spec.template.spec.restartPolicy, 'OnFailure', metadata.name)
          assert.ok(Number(spec.backoffLimit) > 0 && Number(spec.activeDeadlineSeconds) > 0)
        } else assert.ok(container?.readinessProbe, metadata.name)
      }
    })

    it('stands in a namespace that refuses what is less restricted', () => {
      const { labels = {} } = manifests.find('Namespace', 'shop').metadata

      assert.equal(labels['pod-security.kubernetes.io/enforce'], 'restricted')
      for (const { kind, metadata } of manifests.objects) {
        if (kind !== 'Namespace') assert.equal(metadata.namespace, 'shop', metadata.name)
      }
    })

    it('takes secrets by reference: no value is in the manifests', () => {
      assert.deepEqual(manifests.ofKind('Secret'), [])
      const secret = /PASSWORD$|_PWD$|SECRET|ACCESS_KEY|ROOT_USER|SIGNING_KEY|VERIFY_KEYS|_TOKENS$/
      for (const [name, spec] of pods) {
        for (const container of containersOf(spec)) {
          const taken = manifests.secretVariables(container)
          for (const [variable, value] of Object.entries(manifests.environment(container))) {
            if (secret.test(variable)) assert.ok(variable in taken, `${name} ${variable}`)
            assert.doesNotMatch(value, /:\/\/[^:/]+:[^@]+@/, `${name} ${variable}`)
          }
        }
      }
    })
  })
}

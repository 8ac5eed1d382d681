import assert from 'node:assert/strict'
import { type Flows, readFlows } from '../../scripts/docs/flows.ts'
import { enginesOf, type ServiceName, serviceNames } from '../../scripts/stack/services.ts'
import { readDocument } from '../docs/markdown.ts'
import { type Manifest, type Manifests, readOverlay, toolsTimeoutMs } from './manifests.ts'

type Labels = Record<string, string>
type Peer = {
  podSelector?: { matchLabels?: Labels }
  namespaceSelector?: object
  ipBlock?: { cidr: string; except?: string[] }
}
type Port = { port: number | string; endPort?: number; protocol?: string }
type Rule = { from?: Peer[]; to?: Peer[]; ports?: Port[] }
type Policy = {
  podSelector: { matchLabels?: Labels }
  policyTypes: string[]
  ingress?: Rule[]
  egress?: Rule[]
}

const labelsOf = ({ spec }: Manifest) => spec.template.metadata.labels
const portsOf = ({ spec }: Manifest) =>
  spec.template.spec.containers.flatMap(({ ports = [] }) => ports)

function selects({ matchLabels = {} }: { matchLabels?: Labels }, pod: Manifest): boolean {
  const labels = labelsOf(pod)
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value)
}

const policiesOf = (manifests: Manifests) =>
  manifests.ofKind('NetworkPolicy').map(({ spec }) => spec as unknown as Policy)

/** Whether a rule lets a pod of the same namespace through; undefined is anyone outside. */
function admits(peers: Peer[] | undefined, pod: Manifest | undefined): boolean {
  if (!peers) return true
  return peers.some(({ podSelector, namespaceSelector, ipBlock }) => {
    if (!pod || namespaceSelector || ipBlock || !podSelector) return false
    return selects(podSelector, pod)
  })
}

function covers(ports: Port[] | undefined, target: Manifest, number: number): boolean {
  if (!ports) return true
  return ports.some(({ port, endPort = Number(port) }) => {
    const named = portsOf(target).find(({ name }) => name === port)?.containerPort
    return typeof port === 'string' ? named === number : port <= number && number <= endPort
  })
}

/** Whether packets may go from one pod to a port of another, by the policies of both. */
function allowed(policies: Policy[], from: Manifest | undefined, to: Manifest, port: number) {
  const leaves = policies.some(
    ({ podSelector, egress = [] }) =>
      from &&
      selects(podSelector, from) &&
      egress.some((rule) => admits(rule.to, to) && covers(rule.ports, to, port)),
  )
  const enters = policies.some(
    ({ podSelector, ingress = [] }) =>
      selects(podSelector, to) &&
      ingress.some((rule) => admits(rule.from, from) && covers(rule.ports, to, port)),
  )
  return enters && (leaves || !from)
}

/** Where an engine of the native stack is in a cluster. */
const engines: Record<string, string> = {
  postgres: 'postgres:5432',
  redis: 'redis:7000',
  kafka: 'kafka:9092',
  temporal: 'temporal:7233',
  minio: 'minio:9003',
  maildev: 'mailhog:1025',
  provider: 'provider:12111',
}

/** What is neither a service nor a proxy, and whom it asks. */
const others = [
  'topics > kafka:9092',
  'buckets > minio:9003',
  'temporal-namespace > temporal:7233',
  'redis-cluster > redis:7000',
  'temporal > postgres:5432',
  'temporal-ui > temporal:7233',
  // Nodes of a cluster gossip.
  'redis > redis:17000',
  // Events of payments, by the public way.
  'provider > traefik:8000',
  // Buyers, the operator of a tour, and what it checks.
  'lab > traefik:8000',
  'lab > traefik:8082',
  'lab > postgres:5432',
  'lab > provider:12111',
]

describe('the network policies', function () {
  this.timeout(toolsTimeoutMs)

  let local: Manifests
  let production: Manifests
  let flows: Record<ServiceName, Flows>
  let routed: string[]

  before(async () => {
    local = await readOverlay('local')
    production = await readOverlay('production')
    flows = await readFlows()
    const routes = await readDocument('traefik.yml')
    routed = [
      ...new Set([...routes.matchAll(/^ {6}service: (\w+)$/gm)].map(([, name = '']) => name)),
    ]
  })

  const portOf = (name: string, port: string): number => {
    const found = portsOf(local.workload(name)).find((each) => each.name === port)
    assert.ok(found, `${name} has no port ${port}`)
    return found.containerPort
  }

  /** By the sources of the services, and by the routes of Traefik. */
  function expected(): string[] {
    const ofServices = serviceNames.flatMap((name) => {
      const { calls, serves } = flows[name]
      const used: string[] = enginesOf(name)
      return [
        ...used.map((engine) => `${name} > ${engines[engine]}`),
        ...(calls.length > 0 ? [`${name} > traefik-grpc:9090`] : []),
        ...(serves.length > 0 ? [`traefik-grpc > ${name}:${portOf(name, 'grpc')}`] : []),
        ...(used.includes('postgres') ? [`migrate-${name} > postgres:5432`] : []),
      ]
    })
    const ofTraefik = routed.flatMap((name) => {
      if (name.endsWith('-grpc')) return []
      return [`traefik > ${name}:${portOf(name, name === 'minio' ? 'minio' : 'http')}`]
    })
    return [...new Set([...ofServices, ...ofTraefik, ...others])].sort()
  }

  it('allow what the services exchange, and nothing else', () => {
    const policies = policiesOf(local)
    const found = local.workloads.flatMap((from) =>
      local.workloads.flatMap((to) =>
        portsOf(to)
          .filter(({ containerPort }) => allowed(policies, from, to, containerPort))
          .map((port) => `${from.metadata.name} > ${to.metadata.name}:${port.containerPort}`),
      ),
    )

    assert.ok(found.length > 50)
    assert.deepEqual(found.sort(), expected())
  })

  it('let the world reach the two public entry points only', () => {
    const reached = (manifests: Manifests) =>
      manifests.workloads.flatMap((to) =>
        portsOf(to)
          .filter(({ containerPort }) =>
            allowed(policiesOf(manifests), undefined, to, containerPort),
          )
          .map(({ name }) => `${to.metadata.name} ${name}`),
      )

    assert.deepEqual(reached(local).sort(), ['traefik cdn', 'traefik web'])
    assert.deepEqual(reached(production).sort(), ['traefik cdn', 'traefik plain', 'traefik web'])
    const published = production
      .ofKind('Service')
      .filter(({ spec }) => spec.type === 'LoadBalancer' || spec.type === 'NodePort')
      .flatMap(({ spec }) => (spec.ports as { targetPort: string }[]).map((it) => it.targetPort))
    assert.deepEqual(published.sort(), ['cdn', 'plain', 'web'])
  })

  it('deny everything that no other policy allows, to every pod', () => {
    for (const manifests of [local, production]) {
      const denials = policiesOf(manifests).filter(
        ({ podSelector, ingress, egress }) =>
          Object.keys(podSelector).length === 0 && !ingress && !egress,
      )
      assert.deepEqual(
        denials.map(({ policyTypes }) => policyTypes),
        [['Ingress', 'Egress']],
      )
    }
  })

  it('let only payment and mail out to the internet, and every service to its engines elsewhere', () => {
    const outside = (pod: Manifest) =>
      policiesOf(production)
        .filter(({ podSelector, egress }) => egress && selects(podSelector, pod))
        .flatMap(({ egress = [] }) => egress)
        .flatMap(({ to = [], ports = [] }) =>
          to.flatMap(({ ipBlock }) =>
            ipBlock ? ports.map(({ port }) => `${ipBlock.cidr} ${port}`) : [],
          ),
        )
    const ports: Record<string, string> = {
      postgres: '10.20.0.0/16 5432',
      redis: '10.20.0.0/16 6379',
      kafka: '10.20.0.0/16 9092',
      temporal: '10.20.0.0/16 7233',
      minio: '10.20.0.0/16 9000',
      maildev: '0.0.0.0/0 587',
      provider: '0.0.0.0/0 443',
    }

    for (const name of serviceNames) {
      const found = outside(production.workload(name))
      assert.deepEqual(
        found.sort(),
        enginesOf(name)
          .map((engine: string) => ports[engine])
          .sort(),
        name,
      )
    }
  })

  it('let Prometheus read the metrics of every service', () => {
    const metrics = production.find('NetworkPolicy', 'metrics').spec as unknown as Policy

    for (const name of serviceNames) {
      assert.ok(selects(metrics.podSelector, production.workload(name)), name)
    }
    assert.deepEqual(metrics.ingress?.[0]?.ports, [{ port: 'http' }])
  })
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { build, manifestsFolder, type overlays } from '../../scripts/kubernetes/manifests.ts'
import { kubernetesTools } from '../../scripts/kubernetes/tools.ts'

type Source = {
  value?: string
  valueFrom?: { secretKeyRef?: { name: string; key: string }; fieldRef?: { fieldPath: string } }
}

type Probe = {
  httpGet?: { path: string; port: string }
  tcpSocket?: { port: string }
  exec?: { command: string[] }
  periodSeconds: number
  timeoutSeconds?: number
  failureThreshold: number
}

export type Container = {
  name: string
  image: string
  command?: string[]
  args?: string[]
  env?: ({ name: string } & Source)[]
  envFrom?: { configMapRef: { name: string } }[]
  ports?: { name: string; containerPort: number }[]
  resources: { requests: Record<string, string>; limits: Record<string, string> }
  securityContext: Record<string, unknown>
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
}

type Volume = { name: string; secret?: { secretName: string }; configMap?: { name: string } }

export type PodSpec = {
  containers: Container[]
  initContainers?: Container[]
  volumes?: Volume[]
  securityContext: Record<string, unknown>
  terminationGracePeriodSeconds?: number
  automountServiceAccountToken?: boolean
  enableServiceLinks?: boolean
  restartPolicy?: string
  serviceAccountName?: string
  topologySpreadConstraints?: { topologyKey: string; matchLabelKeys: string[] }[]
}

type Labels = Record<string, string>

/** An object of Kubernetes, as far as the tests read it. */
export type Manifest = {
  kind: string
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels }
  data?: Record<string, string>
  rules?: { resources: string[]; verbs: string[] }[]
  spec: {
    replicas?: number
    selector: Labels & { matchLabels: Labels }
    template: { metadata: { labels: Labels }; spec: PodSpec }
    [field: string]: unknown
  }
}

const workloads = ['Deployment', 'StatefulSet', 'Job']

/** What one overlay makes, by kind and name. */
export function readManifests(objects: Manifest[]) {
  const ofKind = (kind: string) => objects.filter((object) => object.kind === kind)
  const find = (kind: string, name: string): Manifest => {
    const found = ofKind(kind).find(({ metadata }) => metadata.name === name)
    assert.ok(found, `there is no ${kind} ${name}`)
    return found
  }
  const workload = (name: string): Manifest => {
    const found = objects.find((it) => workloads.includes(it.kind) && it.metadata.name === name)
    assert.ok(found, `nothing runs ${name}`)
    return found
  }
  const container = (name: string): Container => {
    const [first] = workload(name).spec.template.spec.containers
    assert.ok(first)
    return first
  }

  /** A variable that comes from a Secret is `<name>/<key>`, or its value if `secrets` has it. */
  function environment(from: Container, secrets: Record<string, string> = {}) {
    const configured = (from.envFrom ?? []).map(
      ({ configMapRef }) => find('ConfigMap', configMapRef.name).data ?? {},
    )
    const own = (from.env ?? []).map(({ name, value, valueFrom }) => {
      const ref = valueFrom?.secretKeyRef
      const key = `${ref?.name}/${ref?.key}`
      return [name, ref ? (secrets[key] ?? key) : (value ?? valueFrom?.fieldRef?.fieldPath ?? '')]
    })
    return Object.assign({}, ...configured, Object.fromEntries(own)) as Record<string, string>
  }

  /** Variables that come from a Secret, each with its Secret. */
  const secretVariables = (from: Container) =>
    Object.fromEntries(
      (from.env ?? []).flatMap(({ name, valueFrom }) =>
        valueFrom?.secretKeyRef ? [[name, valueFrom.secretKeyRef]] : [],
      ),
    )

  return {
    objects,
    ofKind,
    find,
    workload,
    container,
    environment,
    secretVariables,
    workloads: objects.filter(({ kind }) => workloads.includes(kind)),
  }
}

export type Manifests = ReturnType<typeof readManifests>

const built = new Map<string, Promise<string>>()

/** What kustomize makes of an overlay of this checkout. It is built once. */
export function overlayText(overlay: (typeof overlays)[number]): Promise<string> {
  const text =
    built.get(overlay) ??
    kubernetesTools().then((tools) => build(tools, join(manifestsFolder, 'overlays', overlay)))
  built.set(overlay, text)
  return text
}

export async function readOverlay(overlay: (typeof overlays)[number]): Promise<Manifests> {
  const documents = parseAllDocuments(await overlayText(overlay))
  return readManifests(documents.map((document) => document.toJS() as Manifest))
}

/** All containers of a pod, with those that run before the others. */
export const containersOf = ({ containers, initContainers = [] }: PodSpec) => [
  ...initContainers,
  ...containers,
]

/** Building the tools takes minutes, once per machine. */
export const toolsTimeoutMs = 1_800_000

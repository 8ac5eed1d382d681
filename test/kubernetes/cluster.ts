import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run, tied } from '../../scripts/stack/run-command.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { runFolder } from '../containers/enter.ts'
import { kubeconfig } from './control-plane.ts'

export type Cluster = ReturnType<typeof openCluster>

type Pod = {
  metadata: { name: string; deletionTimestamp?: string }
  spec: { containers: { image: string }[] }
  status: {
    phase: string
    podIP?: string
    conditions?: { type: string; status: string }[]
    containerStatuses?: { containerID: string; restartCount: number }[]
  }
}

const namespace = 'shop'
const folder = join(runFolder, 'applied')

/** What an operator does with kubectl, in the namespace of the shop. */
export function openCluster(env: Record<string, string>) {
  const client = { ...env, KUBECONFIG: kubeconfig('super-admin') }
  const kubectl = async (...words: string[]) =>
    (await run('kubectl', words, { env: client })).trim()
  const shop = (...words: string[]) => kubectl('--namespace', namespace, ...words)
  const ctr = (...words: string[]) => run('ctr', ['--namespace', 'k8s.io', ...words], { env })

  /** The pods with a label that are not about to end. */
  async function podsWith(label: string): Promise<Pod[]> {
    const list = await shop('get', 'pods', '--selector', label, '--output', 'json')
    const { items } = JSON.parse(list) as { items: Pod[] }
    return items.filter(({ metadata }) => !metadata.deletionTimestamp)
  }
  const pods = (app: string) => podsWith(`app.kubernetes.io/name=${app}`)

  async function firstPod(app: string): Promise<Pod> {
    const [pod] = await pods(app)
    if (!pod) throw new Error(`${app} has no pod`)
    return pod
  }

  const isReady = ({ status }: Pod) =>
    status.conditions?.some((it) => it.type === 'Ready' && it.status === 'True') ?? false

  return {
    kubectl,
    shop,
    pods,
    podsWith,
    isReady,

    /** Creates objects from a file or from their text. */
    async write(verb: 'apply' | 'create', name: string, content: string): Promise<void> {
      const file = join(folder, name)
      await mkdir(folder, { recursive: true })
      await writeFile(file, content, { mode: 0o600 })
      await kubectl(verb, '--filename', file)
    },

    containerdIsUp: () => ctr('version'),
    importImages: (file: string) => ctr('images', 'import', file),
    nodeIsReady: () => kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=5s'),

    /** What an operator would look at when something is wrong. */
    async describe(): Promise<string> {
      const parts = [
        shop('get', 'pods', '--output', 'wide'),
        shop('get', 'events', '--field-selector=type=Warning', '--sort-by=.lastTimestamp'),
        kubectl('describe', 'node'),
      ]
      const texts = await Promise.all(parts.map((part) => part.catch(String)))
      return texts.map((text) => text.split('\n').slice(-60).join('\n')).join('\n\n')
    },

    /** Ends when `release` is called. Resolves when the ports answer. */
    async forward(service: string, ...ports: string[]): Promise<() => void> {
      const words = ['--namespace', namespace, 'port-forward', `service/${service}`, ...ports]
      const [file, args] = tied('kubectl', words)
      const child = spawn(file, args, { stdio: 'ignore', env: { ...process.env, ...client } })
      const [port] = ports.at(-1)?.split(':') ?? []
      await waitFor(`the forwarded ${service}`, async () => {
        if (child.exitCode !== null) throw new Error(`port-forward of ${service} has ended`)
        await fetch(`http://localhost:${port}/`)
        return true
      })
      return () => child.kill()
    },

    /** The address of a Service inside the cluster, which the node reaches, too. */
    addressOf: (service: string) =>
      shop('get', 'service', service, '--output', 'jsonpath={.spec.clusterIP}'),

    /** The text of /metrics of every pod of a service. */
    async metrics(app: string, port: number): Promise<string[]> {
      const urls = (await pods(app)).map(({ status }) => `http://${status.podIP}:${port}/metrics`)
      return Promise.all(urls.map(async (url) => (await fetch(url)).text()))
    },

    /** Kills the first process of a service's container, as a crash would. Resolves when it was started again. */
    async killContainer(app: string): Promise<void> {
      const container = async () => (await firstPod(app)).status.containerStatuses?.[0]
      const before = await container()
      const id = before?.containerID.replace('containerd://', '') ?? ''
      await ctr('tasks', 'kill', '--signal', 'SIGKILL', id)
      await waitFor(`${app} to start again`, async () => {
        const now = await container()
        return now && before && now.restartCount > before.restartCount
      })
    },

    /** Removes a pod without asking it to end, as the loss of its node would. */
    async killPod(app: string): Promise<void> {
      const { metadata } = await firstPod(app)
      await shop('delete', 'pod', metadata.name, '--grace-period=0', '--force')
    },

    /** Waits until every Deployment and StatefulSet has the pods that it wants, and they are ready. */
    async ready(timeout = '10m'): Promise<void> {
      const names = await shop('get', 'deployments,statefulsets', '--output', 'name')
      await shop('rollout', 'status', ...names.split('\n'), `--timeout=${timeout}`)
    },
  }
}

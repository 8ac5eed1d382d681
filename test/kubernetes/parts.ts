import { readFileSync } from 'node:fs'
import { cp, mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../../scripts/stack/cache.ts'
import { unpackDebian } from '../../scripts/stack/debian-packages.ts'
import { goBuildHere } from '../../scripts/stack/engines/go.ts'
import type { Log } from '../../scripts/stack/log.ts'

const programs = join(import.meta.dirname, 'programs')

function versionOf(program: string, module: string): string {
  const lines = readFileSync(join(programs, program, 'go.mod'), 'utf8')
  const found = new RegExp(`${module} (v[\\d.]+)$`, 'm').exec(lines)?.[1]
  if (!found) throw new Error(`${program} does not require ${module}`)
  return found
}

export const kubernetesVersion = versionOf('kubernetes', 'k8s.io/kubernetes')
export const corednsVersion = versionOf('coredns', 'github.com/coredns/coredns')
const names = [
  ...['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'],
  ...['kube-proxy', 'kubectl', 'kubeadm'],
]

/** Folders and files in the cache that a node is made of. containerd and runc are beside Docker Engine. */
export type NodeParts = Awaited<ReturnType<typeof collectNodeParts>>

/** Builds a program of programs/ in the cache. */
async function build(
  name: string,
  dir: string,
  variables: Record<string, string>,
  log: Log,
): Promise<void> {
  const source = join(dir, 'source')
  await cp(join(programs, name), source, { recursive: true })
  await mkdir(join(dir, 'bin'))
  await goBuildHere(source, join(dir, 'bin', name), variables, log)
  await rm(source, { recursive: true })
}

function kubernetes(log: Log): Promise<string> {
  return cached(`kubernetes-${kubernetesVersion}-1`, log, async (dir) => {
    log('Kubernetes is built from source: 15 to 40 minutes, once per machine')
    const variables = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map(
      (name) => [`${name}.gitVersion`, kubernetesVersion],
    )
    await build('kubernetes', dir, Object.fromEntries(variables), log)
    for (const name of names) await symlink('kubernetes', join(dir, 'bin', name))
  })
}

function coredns(log: Log): Promise<string> {
  return cached(`coredns-${corednsVersion}-1`, log, (dir) => build('coredns', dir, {}, log))
}

function pause(log: Log): Promise<string> {
  return cached('pause-1', log, (dir) => build('pause', dir, {}, log))
}

/** Plugins that give a pod its network. */
function networkPlugins(log: Log): Promise<string> {
  return cached('network-plugins-1', log, (dir) =>
    unpackDebian(dir, { bookworm: ['containernetworking-plugins'] }),
  )
}

/** Downloads and builds what is not in the cache. */
export async function collectNodeParts(log: Log) {
  return {
    kubernetes: join(await kubernetes(log), 'bin'),
    coredns: join(await coredns(log), 'bin/coredns'),
    pause: join(await pause(log), 'bin/pause'),
    plugins: join(await networkPlugins(log), 'usr/lib/cni'),
  }
}

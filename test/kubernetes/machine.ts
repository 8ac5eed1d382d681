import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../scripts/stack/run-command.ts'
import { cgroup, runFolder } from '../containers/enter.ts'
import { useNetwork } from '../containers/network.ts'

/*
 * What a node expects of its machine, in the namespaces of this process: nothing of the machine's own is changed.
 */

/** Settings of the kernel that kubelet asks for. They are the whole machine's, and no test needs them. */
const kernelSettings = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
}
/** Those of this network alone. */
const networkSettings = {
  'net/ipv4/ip_forward': 1,
  // Without, a packet that stays on the bridge of the pods does not reach the rules of kube-proxy.
  'net/bridge/bridge-nf-call-iptables': 1,
}

/** kubelet reads what it wants, and so writes nothing. */
async function pretendKernelSettings(): Promise<void> {
  const folder = join(runFolder, 'settings')
  await mkdir(folder)
  for (const [name, value] of Object.entries(kernelSettings)) {
    const file = join(folder, name.replaceAll('/', '.'))
    await writeFile(file, `${value}\n`)
    await run('mount', ['--bind', file, join('/proc/sys', name)])
  }
}

/** A /var and a /run of the node's own: some paths in them cannot be configured. */
async function ownFolders(): Promise<void> {
  const folder = join(runFolder, 'var')
  for (const name of ['lib', 'log', 'cache', 'tmp']) {
    await mkdir(join(folder, name), { recursive: true })
  }
  await chmod(join(folder, 'tmp'), 0o1777)
  await symlink('/run', join(folder, 'run'))
  await run('mount', ['--bind', folder, '/var'])
  await run('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
  // Volumes are mounted for containers that run already.
  await run('mount', ['--make-rshared', '/'])
}

/** A control group for all pods, in each hierarchy that the kernel has. */
async function ownControlGroup(): Promise<void> {
  const root = '/sys/fs/cgroup'
  const entries = await readdir(root)
  if (entries.includes('cgroup.controllers')) {
    await mkdir(join(root, cgroup), { recursive: true })
    return
  }
  for (const hierarchy of entries) await mkdir(join(root, hierarchy, cgroup), { recursive: true })
  // A new set of CPUs is empty, and so takes no process.
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const all = await readFile(join(root, 'cpuset', file))
    await writeFile(join(root, 'cpuset', cgroup, file), all)
  }
}

/** Makes this process's namespaces fit for a node. */
export async function prepareMachine(): Promise<void> {
  await mkdir(runFolder, { recursive: true, mode: 0o700 })
  await useNetwork()
  for (const [name, value] of Object.entries(networkSettings)) {
    await writeFile(join('/proc/sys', name), `${value}\n`)
  }
  await pretendKernelSettings()
  await ownFolders()
  await ownControlGroup()
}

import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cgroup, runFolder } from '../containers/enter.ts'
import { ownAddress } from '../containers/network.ts'
import type { Parts } from '../containers/parts.ts'
import {
  clusterCertificate,
  clusterDomain,
  kubeconfig,
  nodeName,
  pods,
  volumePlugins,
} from './control-plane.ts'
import type { Daemons } from './daemons.ts'
import { pauseImage } from './images.ts'
import type { NodeParts } from './parts.ts'

const folder = join(runFolder, 'node')
const runtime = '/run/containerd/containerd.sock'
const nameServer = '10.96.0.10'
const networks = join(folder, 'networks')
const programs = join(folder, 'bin')

/** What a node's programs need to find each other and their libraries. */
export async function nodeEnv(parts: Parts, { kubernetes }: NodeParts) {
  await mkdir(programs, { recursive: true })
  // One program that acts by its name; Debian's package has only some of them.
  for (const name of ['iptables', 'ip6tables'].flatMap((it) => [it, `${it}-save`, `${it}-restore`]))
    await symlink(join(parts.engine, 'usr/sbin/xtables-nft-multi'), join(programs, name))
  const libraries = join(parts.engine, 'usr/lib/x86_64-linux-gnu')
  const folders = ['usr/sbin', 'usr/bin'].map((name) => join(parts.engine, name))
  return {
    PATH: [programs, kubernetes, ...folders, process.env.PATH].join(':'),
    LD_LIBRARY_PATH: libraries,
    XTABLES_LIBDIR: join(libraries, 'xtables'),
  }
}

const containerdConfig = (plugins: string) => `
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${runtime}"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  # Without a capability that root in a container may lack, no process can be made safer from the OOM killer.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "${networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`

/** A bridge with an address for each pod. It knows no NetworkPolicy. */
const network = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      ...{ type: 'bridge', bridge: 'pods0', isGateway: true, ipMasq: true, hairpinMode: true },
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: pods }]],
        routes: [{ dst: '0.0.0.0/0' }],
        dataDir: '/run/pod-addresses',
      },
    },
  ],
}

const kubeletConfig = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: clusterCertificate },
  },
  authorization: { mode: 'Webhook' },
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroup}`,
  clusterDNS: [nameServer],
  clusterDomain,
  containerRuntimeEndpoint: `unix://${runtime}`,
  failSwapOn: false,
  // Fails rather than change the machine.
  protectKernelDefaults: true,
  volumePluginDir: volumePlugins,
  // Images cannot be pulled again, and how full the disk is says nothing about the shop.
  imageGCHighThresholdPercent: 100,
  evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
}

const proxyConfig = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clientConnection: { kubeconfig: kubeconfig('kube-proxy') },
  hostnameOverride: nodeName,
  mode: 'iptables',
  clusterCIDR: pods,
  iptables: { localhostNodePorts: false },
  // Its limits are the whole machine's.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
}

/** Writes a configuration and names its file. JSON is YAML, too. */
async function config(name: string, content: string | object): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

/** Starts what runs containers. */
export async function startContainerd(
  { engine }: Parts,
  { plugins }: NodeParts,
  daemons: Daemons,
  isUp: () => Promise<unknown>,
): Promise<void> {
  await mkdir(networks, { recursive: true })
  await writeFile(join(networks, 'pods.conflist'), JSON.stringify(network))
  const file = await config('containerd.toml', containerdConfig(plugins))
  daemons.start('containerd', join(engine, 'usr/bin/containerd'), ['--config', file])
  await daemons.waitFor('containerd', isUp)
}

/** Starts kubelet, which makes this a node of the cluster, and then kube-proxy, which asks for the node's address. */
export async function startNode(
  { kubernetes }: NodeParts,
  daemons: Daemons,
  isReady: () => Promise<unknown>,
): Promise<void> {
  daemons.start('kubelet', join(kubernetes, 'kubelet'), [
    `--config=${await config('kubelet.json', kubeletConfig)}`,
    ...[`--kubeconfig=${kubeconfig('kubelet')}`, `--hostname-override=${nodeName}`],
    ...[`--node-ip=${ownAddress}`, '--root-dir=/var/lib/kubelet'],
  ])
  await daemons.waitFor('the node', isReady)
  const file = await config('kube-proxy.json', proxyConfig)
  daemons.start('kube-proxy', join(kubernetes, 'kube-proxy'), [`--config=${file}`])
}

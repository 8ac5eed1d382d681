import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../scripts/stack/run-command.ts'
import { runFolder } from '../containers/enter.ts'
import { ownAddress } from '../containers/network.ts'
import type { Daemons } from './daemons.ts'
import { kubernetesVersion, type NodeParts } from './parts.ts'

export const nodeName = 'node-1'
export const clusterDomain = 'cluster.local'
export const pods = '10.244.0.0/24'
const services = '10.96.0.0/16'
const etcdUrl = 'http://127.0.0.1:2379'
const etcdPeerUrl = 'http://127.0.0.1:2380'

const folder = join(runFolder, 'control-plane')
const pki = (name: string) => join(folder, 'pki', name)
export const kubeconfig = (name: string) => join(folder, `${name}.conf`)
export const clusterCertificate = pki('ca.crt')
const kubeadmConfig = join(folder, 'kubeadm.json')
/** kubelet and the controller manager would make one in the machine's /usr. */
export const volumePlugins = '/var/lib/kubelet/volume-plugins'

/** Two documents, as kubeadm reads them. */
const configuration = [
  {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'InitConfiguration',
    localAPIEndpoint: { advertiseAddress: ownAddress, bindPort: 6443 },
    nodeRegistration: { name: nodeName, criSocket: 'unix:///run/containerd/containerd.sock' },
  },
  {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    kubernetesVersion,
    certificatesDir: join(folder, 'pki'),
    networking: { serviceSubnet: services, podSubnet: pods, dnsDomain: clusterDomain },
    etcd: { external: { endpoints: [etcdUrl] } },
  },
]

type Kubeadm = (...words: string[]) => Promise<string>

/** kubeadm with the configuration of this cluster. It makes certificates, kubeconfigs and the name server. */
export async function openKubeadm({ kubernetes }: NodeParts): Promise<Kubeadm> {
  await mkdir(folder, { recursive: true })
  await writeFile(kubeadmConfig, configuration.map((each) => JSON.stringify(each)).join('\n---\n'))
  return (...words) => run(join(kubernetes, 'kubeadm'), [...words, '--config', kubeadmConfig])
}

async function makeCredentials(kubeadm: Kubeadm): Promise<void> {
  await kubeadm('init', 'phase', 'certs', 'all')
  await kubeadm('init', 'phase', 'kubeconfig', 'all', '--kubeconfig-dir', folder)
  const proxy = await kubeadm('kubeconfig', 'user', '--client-name', 'system:kube-proxy')
  await writeFile(kubeconfig('kube-proxy'), proxy.slice(proxy.indexOf('apiVersion:')))
}

/** Starts etcd, the API server, the controllers and the scheduler. */
export async function startControlPlane(
  { kubernetes }: NodeParts,
  daemons: Daemons,
  kubeadm: Kubeadm,
): Promise<void> {
  const start = (name: string, args: string[]) => daemons.start(name, join(kubernetes, name), args)
  await makeCredentials(kubeadm)

  start('etcd', [
    ...['--name=node-1', `--data-dir=${join(folder, 'etcd')}`, '--unsafe-no-fsync'],
    ...[`--listen-client-urls=${etcdUrl}`, `--advertise-client-urls=${etcdUrl}`],
    ...[`--listen-peer-urls=${etcdPeerUrl}`, `--initial-advertise-peer-urls=${etcdPeerUrl}`],
    ...[`--initial-cluster=node-1=${etcdPeerUrl}`, '--log-level=warn'],
  ])
  await daemons.waitFor('etcd', () => fetch(`${etcdUrl}/health`))

  start('kube-apiserver', [
    ...[`--etcd-servers=${etcdUrl}`, `--advertise-address=${ownAddress}`, '--secure-port=6443'],
    `--service-cluster-ip-range=${services}`,
    ...[`--client-ca-file=${clusterCertificate}`, `--tls-cert-file=${pki('apiserver.crt')}`],
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--kubelet-client-certificate=${pki('apiserver-kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('apiserver-kubelet-client.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--service-account-issuer=https://kubernetes.default.svc.${clusterDomain}`,
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    ...['--authorization-mode=Node,RBAC', '--enable-admission-plugins=NodeRestriction'],
  ])
  const readyz = [`--kubeconfig=${kubeconfig('super-admin')}`, 'get', '--raw', '/readyz']
  await daemons.waitFor('the API server', () => run(join(kubernetes, 'kubectl'), readyz))

  const as = (name: string) =>
    ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      (flag) => `--${flag}=${kubeconfig(name)}`,
    )
  const alone = ['--leader-elect=false', '--bind-address=127.0.0.1']
  start('kube-controller-manager', [
    ...[...as('controller-manager'), ...alone, '--use-service-account-credentials'],
    ...[`--root-ca-file=${clusterCertificate}`, `--flex-volume-plugin-dir=${volumePlugins}`],
    `--service-account-private-key-file=${pki('sa.key')}`,
    `--cluster-signing-cert-file=${clusterCertificate}`,
    `--cluster-signing-key-file=${pki('ca.key')}`,
  ])
  start('kube-scheduler', [...as('scheduler'), ...alone])
}

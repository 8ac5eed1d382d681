import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runFolder } from '../containers/enter.ts'
import type { Cluster } from './cluster.ts'
import { kubeconfig, nodeName, type openKubeadm } from './control-plane.ts'
import { claimedVolumes } from './manifests.ts'

const volumeFolder = join(runFolder, 'volumes')
const storageClass = 'local'

/** The default StorageClass, with a folder of this machine for each claim. */
async function makeVolumes(cluster: Cluster): Promise<void> {
  const items: object[] = [
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {
        name: storageClass,
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    },
  ]
  for (const [index, storage] of (await claimedVolumes(cluster)).entries()) {
    const path = join(volumeFolder, String(index))
    await mkdir(path, { recursive: true })
    await chmod(path, 0o770)
    items.push({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `local-${index}` },
      spec: {
        capacity: { storage },
        accessModes: ['ReadWriteOnce'],
        storageClassName: storageClass,
        persistentVolumeReclaimPolicy: 'Retain',
        // Not hostPath, for which kubelet would set no group.
        local: { path },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] },
                ],
              },
            ],
          },
        },
      },
    })
  }
  const list = { apiVersion: 'v1', kind: 'List', items }
  await cluster.write('apply', 'volumes', JSON.stringify(list))
}

/** What a cluster has before anything is applied to it: a name server, volumes, and rights of its API server. */
export async function addOns(
  cluster: Cluster,
  kubeadm: Awaited<ReturnType<typeof openKubeadm>>,
): Promise<void> {
  const { kubectl } = cluster
  // kubeadm gives this group to administrators and to the API server, which asks kubelets for logs and ports.
  const group = 'kubeadm:cluster-admins'
  await kubectl(
    ...['create', 'clusterrolebinding', group, '--clusterrole=cluster-admin', `--group=${group}`],
  )
  const as = ['--kubeconfig', kubeconfig('super-admin')]
  await kubeadm('init', 'phase', 'addon', 'coredns', ...as)
  await makeVolumes(cluster)
  const system = ['--namespace', 'kube-system']
  await kubectl(...system, 'rollout', 'status', 'deployment/coredns', '--timeout=5m')
}

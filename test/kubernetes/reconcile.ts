import assert from 'node:assert/strict'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import type { Cluster } from './cluster.ts'
import { shopImages } from './images.ts'

const name = 'reconcile'
const deadlineMs = 300_000
const databases = ['product', 'order', 'payment', 'purchase']

/** The reconciler in a pod of its own, with what `bench` of docker-compose.yml has. */
async function pod() {
  const secret = (key: string, from: string, value: string) => ({
    name: key,
    valueFrom: { secretKeyRef: { name: from, key: value } },
  })
  const uses = ['postgres', 'kafka', 'temporal', 'provider'].map((it) => [`shop/uses-${it}`, 'yes'])
  const [image] = await shopImages()
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', labels: Object.fromEntries(uses) },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000 },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          ...{ name, image, command: ['node'], args: ['bench/reconcile.ts'] },
          env: [
            { name: 'SHOP_URL', value: 'http://traefik:80' },
            { name: 'KAFKA_BROKERS', value: 'kafka:9092' },
            { name: 'TEMPORAL_ADDRESS', value: 'temporal:7233' },
            { name: 'STRIPE_API_URL', value: 'http://provider:12111' },
            secret('STRIPE_API_KEY', 'payment-provider', 'api-key'),
            ...databases.map((it) =>
              secret(`${it.toUpperCase()}_DATABASE_URL`, `database-${it}`, 'url'),
            ),
          ],
          resources: { limits: { memory: '512Mi' }, requests: { cpu: '50m' } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  }
}

/** Runs the reconciler. Resolves with the last line of its report; throws with all of it if there is a violation. */
export async function reconcile(cluster: Cluster): Promise<string> {
  await cluster.write('create', name, JSON.stringify(await pod()))
  const phase = await waitFor(
    'the reconciler to end',
    async () => {
      const now = await cluster.shop('get', 'pod', name, '--output', 'jsonpath={.status.phase}')
      return ['Succeeded', 'Failed'].includes(now) && now
    },
    deadlineMs,
  )
  const report = await cluster.shop('logs', name)
  await cluster.shop('delete', 'pod', name, '--now')
  assert.equal(phase, 'Succeeded', report)
  return report.split('\n').at(-1) ?? ''
}

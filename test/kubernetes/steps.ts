import assert from 'node:assert/strict'
import { composeSecrets } from '../../scripts/compose-env.ts'
import { localSecrets } from '../../scripts/kubernetes/secrets.ts'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import {
  buy,
  buysAndIsDeclined,
  postsIn,
  readsMail,
  shopOf,
  uploads,
} from '../containers/shop-checks.ts'
import type { Context } from './context.ts'
import { nodeName } from './control-plane.ts'
import { shopImages } from './images.ts'
import { openBuyers, sellUntil } from './load.ts'
import { applyOverlay, setTag, shareOfRequests } from './manifests.ts'
import { reconcile } from './reconcile.ts'

const purchasePort = 3005
const replicas = 3
/** Longer than an eviction that is allowed takes, and shorter than an operator's patience. */
const drainTimeout = '60s'

/** Does what docs/kubernetes.md says, in its order. */
async function applies({ cluster, log }: Context): Promise<void> {
  await cluster.kubectl('create', 'namespace', 'shop')
  const list = { apiVersion: 'v1', kind: 'List', items: localSecrets(composeSecrets()) }
  await cluster.write('create', 'secrets', JSON.stringify(list))

  if (shareOfRequests < 1) log(`pods request ${shareOfRequests} of their CPU: the machine is small`)
  await applyOverlay(cluster)

  await cluster.shop('wait', '--for=condition=complete', 'job', '--all', '--timeout=15m')
  log('all jobs are complete')
  await cluster.shop('wait', '--for=condition=available', 'deployment', '--all', '--timeout=15m')
  await cluster.ready()
}

/** By forwarded ports, as in the guide. */
async function sells(context: Context): Promise<void> {
  const { cluster } = context
  const stops = await Promise.all([
    cluster.forward('traefik', '8000:80', '9000:9000'),
    cluster.forward('mailhog', '8025:8025'),
  ])
  context.urls = { shop: 'http://localhost:8000', mail: 'http://localhost:8025' }
  try {
    await buysAndIsDeclined(context)
    await uploads(context)
    await readsMail(context)
  } finally {
    for (const stop of stops) stop()
  }
  // From here on, as a load balancer would send its requests.
  context.urls.shop = `http://${await cluster.addressOf('traefik')}`
}

/** A buyer with a new token, for the product that is there. */
async function newBuyer(context: Context): Promise<void> {
  context.shop = { ...shopOf(context), customer: await registerCustomer(context.urls.shop) }
}

async function completes(context: Context): Promise<void> {
  assert.equal((await buy(context)).status, 'COMPLETED')
}

async function scales(context: Context): Promise<void> {
  const { cluster, log } = context
  await newBuyer(context)
  await cluster.shop('scale', 'deployment/purchase', `--replicas=${replicas}`)
  await cluster.ready()

  const ends = await Promise.all(Array.from({ length: 30 }, () => buy(context)))

  assert.ok(ends.every(({ status }) => status === 'COMPLETED'))
  const each = (await cluster.metrics('purchase', purchasePort)).map(postsIn)
  log(`purchases by pod: ${each.join(', ')}`)
  assert.equal(each.length, replicas)
  assert.ok(each.filter((count) => count > 0).length > 1, 'one pod has served everything')
}

/** A release of another tag, as docs/kubernetes.md says. */
async function release({ cluster }: Context): Promise<void> {
  const [, next] = await shopImages()
  await setTag(next.slice(next.indexOf(':') + 1))
  const jobs = ['--selector', 'app.kubernetes.io/component=job']
  await cluster.shop('delete', 'job', ...jobs, '--ignore-not-found')
  await applyOverlay(cluster)
  const services = 'app.kubernetes.io/component=service'
  await cluster.shop('rollout', 'status', 'deployment', '--selector', services, '--timeout=15m')
  await cluster.shop('wait', '--for=condition=complete', 'job', '--all', '--timeout=15m')
  await cluster.ready()
  const images = (await cluster.podsWith(services)).map(({ spec }) => spec.containers[0]?.image)
  assert.deepEqual([...new Set(images)], [next])
}

async function releases(context: Context): Promise<void> {
  const buyers = await openBuyers(context.urls.shop)
  const during = release(context)
  const [sales] = await Promise.all([sellUntil(during, buyers, shopOf(context).productId), during])
  context.log(`${sales.purchases} purchases meanwhile, ${sales.repeated} asked for more than once`)
  assert.deepEqual(sales.failed, [])
  assert.ok(sales.purchases > 10)
}

async function losesContainer(context: Context): Promise<void> {
  await newBuyer(context)
  await context.cluster.killContainer('payment')
  await completes(context)
  await context.cluster.ready()
}

async function losesPod(context: Context): Promise<void> {
  await context.cluster.killPod('kafka')
  await completes(context)
  await context.cluster.ready()
}

/**
 * There is no other node, so a new pod waits for this one. The budget then allows no second eviction, and two pods serve
 * on.
 */
async function drains(context: Context): Promise<void> {
  const { cluster, log } = context
  await newBuyer(context)
  const ready = async () => (await cluster.pods('purchase')).filter(cluster.isReady).length
  assert.equal(await ready(), replicas)

  const drain = cluster.kubectl(
    ...['drain', nodeName, '--ignore-daemonsets', '--delete-emptydir-data'],
    ...['--pod-selector=app.kubernetes.io/name=purchase', `--timeout=${drainTimeout}`],
  )
  const refused = await Promise.all([
    drain.then(
      () => '',
      (error: Error) => error.message,
    ),
    completes(context),
  ])

  assert.match(refused[0], /disruption budget/)
  assert.equal(await ready(), replicas - 1)
  log(`${replicas - 1} of ${replicas} pods are left while the node is drained`)
  await completes(context)
  await cluster.kubectl('uncordon', nodeName)
  await cluster.ready()
  assert.equal(await ready(), replicas)
}

async function reconciles({ cluster, log }: Context): Promise<void> {
  log(await reconcile(cluster))
}

async function removesAll({ cluster }: Context): Promise<void> {
  await cluster.kubectl('delete', 'namespace', 'shop', '--timeout=5m')
}

/** In their order: each needs what those before it have left. */
export const steps: [title: string, step: (context: Context) => Promise<void>][] = [
  ['the overlay `local` is applied and everything is ready', applies],
  ['a purchase completes, one is declined, a picture is on the CDN, mail has come', sells],
  ['the reconciler finds no violation', reconciles],
  ['three pods of purchase share its requests', scales],
  ['a release replaces all pods under load, and no purchase fails', releases],
  ['a killed container of payment starts again and its purchase completes', losesContainer],
  ['a lost pod of Kafka comes back and a purchase completes', losesPod],
  ['a drained node keeps as many pods of purchase as its budget says', drains],
  ['the reconciler finds no violation after that', reconciles],
  ['`kubectl delete namespace` leaves nothing', removesAll],
]

import assert from 'node:assert/strict'
import type { Stack } from '../../scripts/stack/client.ts'
import { freePort } from '../../scripts/stack/ports.ts'
import { type ServiceName, serviceNames } from '../../scripts/stack/services.ts'
import { expectStatus, registerCustomer } from '../../scripts/stack/shop-client.ts'
import { consumerGroups } from '../../shared/contracts/groups.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { codes, readDocument, rowsOf } from '../docs/markdown.ts'
import { startReplica } from '../helpers/service-process.ts'
import { testStack } from '../helpers/stack.ts'

/** The samples of each family without their values: a name, and labels in braces. */
type Families = Map<string, string[]>

const deadlineMs = 120_000

/** What every process serves, of the alerts and of the boards. */
const ofAll = [
  'shop_build_info',
  'nodejs_eventloop_lag_p99_seconds',
  'nodejs_heap_size_used_bytes',
  'process_cpu_seconds_total',
  'process_start_time_seconds',
]
/** Counted only when something goes wrong, waits, is refused, or is followed live. */
const withoutSamples = new Set([
  'cache_filter_rebuilds_total',
  'cache_lock_waits_total',
  'http_requests_shed_total',
  'late_replies_total',
  'payment_provider_refused_calls_total',
  'payments_pending_asked_total',
  'purchase_progress_events_total',
  'purchases_refused_total',
  'redis_failures_total',
  'sagas_restarted_total',
])

/** What answers customers. */
const asked: ServiceName[] = ['account', 'product', 'order', 'payment', 'purchase', 'media']

async function readFamilies(url: string): Promise<Families> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  assert.equal(response.status, 200, url)
  const families: Families = new Map()
  let samples: string[] = []
  for (const line of (await response.text()).split('\n')) {
    const [, name] = /^# TYPE (\S+) /.exec(line) ?? []
    if (name) {
      samples = []
      families.set(name, samples)
    } else if (line && !line.startsWith('#')) {
      samples.push(line.slice(0, line.lastIndexOf(' ')))
    }
  }
  return families
}

describe('the metrics of a shop at work', function () {
  this.timeout(300_000)

  let stack: Stack
  const urlOf = (service: ServiceName) => `http://127.0.0.1:${stack.ports[service]}/metrics`

  async function readAll(): Promise<Map<ServiceName, Families>> {
    const reading = serviceNames.map(
      async (name) => [name, await readFamilies(urlOf(name))] as const,
    )
    return new Map(await Promise.all(reading))
  }

  /** Waits until nothing is missing, and names what is. */
  async function assertNoneMissing(find: () => Promise<string[]>): Promise<void> {
    let missing: string[] | undefined
    const isComplete = async () => {
      missing = await find()
      return missing.length === 0
    }
    const failed = await waitFor('all samples', isComplete, deadlineMs).then(
      () => undefined,
      (error: Error) => error,
    )
    assert.deepEqual(missing, [], failed?.cause ? `${failed.cause}` : undefined)
  }

  before(async () => {
    stack = await testStack()
    const seller = await registerCustomer(stack.urls.api)
    const { id: category_id } = await seller.createCategory('Metrics')
    const product = await seller.createProduct({
      ...{ category_id, name: 'Tea pot', description: 'Made of clay', brand_name: 'Clay' },
      ...{ price: 100, inventory: 10 },
    })
    const order_items = [{ product_id: product.id, quantity: 1 }]
    const { purchase_id } = expectStatus(await seller.buy({ order_items }, newId()), 202)
    assert.equal((await seller.waitForEnd(purchase_id)).status, 'COMPLETED')
    // The services whose part in a purchase is no request of a customer.
    for (const path of [
      `/products/${product.id}`,
      `/media?product_id=${product.id}`,
      '/orders',
      '/payments',
    ]) {
      expectStatus(await seller.get(path), 200)
    }
  })

  it('are served by every process, each under its name', async () => {
    await assertNoneMissing(async () =>
      [...(await readAll())].flatMap(([service, families]) =>
        ofAll
          .filter((name) => !families.get(name)?.some((one) => one.includes(`"${service}"`)))
          .map((name) => `${name} of ${service}`),
      ),
    )
  })

  it('time the requests of customers in every service that answers them', async () => {
    await assertNoneMissing(async () => {
      const all = await readAll()
      return asked.filter(
        (service) => !all.get(service)?.get('http_request_duration_seconds')?.length,
      )
    })
  })

  it('have all families of their reference, with samples after a purchase', async () => {
    const page = await readDocument('docs/metrics.md')
    const columns = ['metric', 'type', 'labels', 'meaning', 'declared in'] as const
    const documented = rowsOf(page, ...columns).map((row) => ({
      name: codes(row.metric)[0] ?? '',
      from: (codes(row['declared in'])[0] ?? '').split(', '),
    }))
    assert.ok(documented.length > 40)

    await assertNoneMissing(async () => {
      const all = await readAll()
      return documented.flatMap(({ name, from }) => {
        const own = serviceNames.filter((service) => from.includes(`services/${service}`))
        const families = (own.length > 0 ? own : serviceNames).map((one) => all.get(one)?.get(name))
        const served = families.filter((samples) => samples !== undefined)
        if (served.length === 0) return [`${name} is not served`]
        const isSampled = withoutSamples.has(name) || served.some((samples) => samples.length > 0)
        return isSampled ? [] : [`${name} has no samples`]
      })
    })
  })

  it('show the lag of every consumer group', async () => {
    await assertNoneMissing(async () => {
      const lags = (await readFamilies(urlOf('orchestrator'))).get('kafka_consumer_lag') ?? []
      return consumerGroups.filter((group) => !lags.some((lag) => lag.includes(`"${group}"`)))
    })
  })

  it('show what is counted of a purchase on its way', async () => {
    const wanted: Partial<Record<ServiceName, RegExp[]>> = {
      account: [/^outbox_oldest_unsent_seconds\{/, /^outbox_unsent\{/],
      product: [/^grpc_server_duration_seconds_bucket\{.*code="OK"/],
      payment: [
        /^payments_pending\{/,
        /^payment_provider_call_duration_seconds_count\{.*outcome="answered"/,
      ],
      purchase: [
        /^http_request_duration_seconds_bucket\{.*route="\/purchases".*status="202"/,
        /^http_request_duration_seconds_bucket\{.*le="0.5"/,
        /^grpc_client_duration_seconds_bucket\{.*target="product"/,
        /^purchase_duration_seconds_bucket\{.*le="10"/,
        /^purchase_admission_wait_seconds_bucket\{/,
        /^purchase_oldest_started_seconds\{/,
        /^purchases_queued\{/,
      ],
      orchestrator: [/^saga_commands_sent_total\{.*as="first"/, /^sagas_needing_attention\{/],
    }

    await assertNoneMissing(async () => {
      const all = await readAll()
      return Object.entries(wanted).flatMap(([service, patterns]) => {
        const samples = [...(all.get(service as ServiceName)?.values() ?? [])].flat()
        return patterns
          .filter((pattern) => !samples.some((sample) => pattern.test(sample)))
          .map((pattern) => `${pattern} of ${service}`)
      })
    })
  })

  it('of Traefik are served on the port of its dashboard', async () => {
    const url = `http://127.0.0.1:${stack.ports.dashboard}/metrics`

    await assertNoneMissing(async () => {
      const families = await readFamilies(url)
      return [
        'traefik_entrypoint_requests_total',
        'traefik_entrypoint_request_duration_seconds',
        'traefik_router_requests_total',
        'traefik_service_requests_total',
      ].filter((name) => !families.get(name)?.length)
    })
  })

  it('of the Temporal SDK are served by an orchestrator that is given an address for them', async () => {
    const address = `127.0.0.1:${await freePort()}`
    const replica = startReplica('orchestrator', stack, { TEMPORAL_METRICS_ADDRESS: address })
    try {
      await replica.port(deadlineMs)
      await assertNoneMissing(async () => {
        const families = await readFamilies(`http://${address}/metrics`)
        return ['temporal_request_total', 'temporal_num_pollers'].filter(
          (name) => !families.get(name)?.length,
        )
      })
      // It leaves its consumer groups, so that the tests after this one need not wait for it.
      replica.stop()
      assert.equal(await replica.exited(), 0)
    } finally {
      await replica.close()
    }
  })
})

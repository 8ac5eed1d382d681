import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { renderBoards } from '../../scripts/docs/boards.ts'
import { prometheusConfig } from '../../scripts/stack/observe/prometheus-config.ts'
import { resolvePorts } from '../../scripts/stack/ports.ts'
import { serviceNames } from '../../scripts/stack/services.ts'
import { checkout, readDocument } from '../docs/markdown.ts'

type Service = {
  image?: string
  command?: string[]
  environment?: Record<string, string | number>
  volumes?: string[]
}
type Prometheus = {
  rule_files: string[]
  scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
}
type File = { services: Record<string, Service> }

const folder = 'deploy/observability'

describe('deploy/observability/docker-compose.yml', () => {
  let shop: File
  let overlay: File

  const read = async (path: string): Promise<File> =>
    parse(await readDocument(path), { merge: true, maxAliasCount: -1 })

  const readPrometheus = async (): Promise<Prometheus> =>
    parse(await readDocument(`${folder}/prometheus.yml`))

  /** The path in the container of each path here that a service mounts. */
  const mountsOf = (name: string) =>
    new Map(
      (overlay.services[name]?.volumes ?? []).map((volume): [string, string] => {
        const [from = '', to = ''] = volume.split(':')
        return [from, to]
      }),
    )

  before(async () => {
    shop = await read('docker-compose.yml')
    overlay = await read(`${folder}/docker-compose.yml`)
  })

  it('makes every service, the provider and the gateway send their spans to the collector, and keeps the metrics of the gateway', () => {
    const collector = 'http://collector:4318'

    for (const name of [...serviceNames, 'provider']) {
      const { environment = {} } = overlay.services[name] ?? {}
      assert.equal(environment.OTEL_EXPORTER_OTLP_ENDPOINT, collector, name)
    }
    const own = shop.services.traefik?.command ?? []
    const traced = overlay.services.traefik?.command ?? []
    assert.deepEqual(traced.slice(0, own.length).toSorted(), own.toSorted())
    assert.ok(traced.includes('--metrics.prometheus=true'))
    assert.ok(traced.includes(`--tracing.otlp.http.endpoint=${collector}/v1/traces`))
  })

  it('scrapes every process of the shop', async () => {
    const { scrape_configs } = await readPrometheus()
    const targets = scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap((one) => one.targets),
    )
    const expected = serviceNames.map(
      (name) => `${name}:${shop.services[name]?.environment?.HTTP_PORT}`,
    )

    const metrics = overlay.services.orchestrator?.environment?.TEMPORAL_METRICS_ADDRESS
    const sdk = String(metrics).replace('0.0.0.0', 'orchestrator')
    assert.deepEqual(targets.toSorted(), [...expected, 'traefik:8080', sdk].toSorted())
  })

  it('has the jobs and rules of the native stack', async () => {
    const jobsOf = ({ scrape_configs }: Prometheus) =>
      scrape_configs.map(({ job_name, static_configs }) => [
        job_name,
        static_configs.flatMap(({ targets }) => targets).length,
      ])
    const compose = await readPrometheus()
    const native: Prometheus = prometheusConfig(
      { ports: resolvePorts(0, {}) },
      { temporalSdk: 9464 },
      {
        rules: folder,
        timesFaster: 1,
      },
    )

    assert.deepEqual(jobsOf(native), jobsOf(compose))
    assert.deepEqual(
      native.rule_files,
      compose.rule_files.map((file) => join(folder, file)),
    )
    for (const file of compose.rule_files) {
      const mounted = mountsOf('prometheus').get(`./${folder}/${file}`)
      assert.equal(mounted, `/etc/prometheus/${file}`)
    }
  })

  it('passes spans on to Jaeger', async () => {
    const { receivers, exporters, service } = parse(await readDocument(`${folder}/collector.yml`))
    const [host = '', port] = exporters.otlp.endpoint.split(':')

    assert.equal(receivers.otlp.protocols.http.endpoint, '0.0.0.0:4318')
    assert.ok(overlay.services[host]?.image?.startsWith('jaegertracing/'))
    assert.equal(port, '4317')
    const { processors: _, ...traces } = service.pipelines.traces
    assert.deepEqual(traces, { receivers: ['otlp'], exporters: ['otlp'] })
  })

  it('gives Grafana the boards, and the sources that their panels name', async () => {
    const provisioning = `${folder}/grafana/provisioning`
    const mounts = mountsOf('grafana')
    assert.equal(mounts.get(`./${provisioning}`), '/etc/grafana/provisioning')
    const { providers } = parse(await readDocument(`${provisioning}/dashboards/boards.yml`))
    const paths = providers.map((one: { options: { path: string } }) => one.options.path)
    assert.deepEqual(paths, [mounts.get(`./${folder}/grafana/boards`)])

    const { datasources } = parse(
      await readDocument(`${provisioning}/datasources/datasources.yml`),
    ) as { datasources: { type: string; uid: string; url: string }[] }
    for (const { url } of datasources) {
      assert.ok(overlay.services[new URL(url).hostname]?.image, url)
    }
    const known = datasources.map(({ type, uid }) => `${type} ${uid}`)
    type Board = { panels: { title: string; datasource: { type: string; uid: string } }[] }
    for (const board of Object.values(renderBoards())) {
      for (const { title, datasource } of (JSON.parse(board) as Board).panels) {
        assert.ok(known.includes(`${datasource.type} ${datasource.uid}`), title)
      }
    }
  })

  it('mounts files that exist, and pins its images', async () => {
    for (const [name, { image, volumes = [] }] of Object.entries(overlay.services)) {
      if (image) assert.match(image, /:v?\d+\.\d+\.\d+$/, name)
      for (const [path = ''] of volumes.map((volume) => volume.split(':'))) {
        if (!path.startsWith('./')) continue
        const files = await Array.fromAsync(glob(`${path}{,/**/*.*}`, { cwd: checkout }))
        assert.ok(files.length > 0, path)
      }
    }
  })
})

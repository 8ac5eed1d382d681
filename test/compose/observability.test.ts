import assert from 'node:assert/strict'
import { parse } from 'yaml'
import { serviceNames } from '../../scripts/stack/services.ts'
import { readDocument } from '../docs/markdown.ts'

type Service = {
  image?: string
  command?: string[]
  environment?: Record<string, string | number>
  volumes?: string[]
}
type File = { services: Record<string, Service> }

const folder = 'deploy/observability'

describe('deploy/observability/docker-compose.yml', () => {
  let shop: File
  let overlay: File

  const read = async (path: string): Promise<File> =>
    parse(await readDocument(path), { merge: true, maxAliasCount: -1 })

  before(async () => {
    shop = await read('docker-compose.yml')
    overlay = await read(`${folder}/docker-compose.yml`)
  })

  it('makes every service, the provider and the gateway send their spans to the collector', () => {
    const collector = 'http://collector:4318'

    for (const name of [...serviceNames, 'provider']) {
      const { environment = {} } = overlay.services[name] ?? {}
      assert.equal(environment.OTEL_EXPORTER_OTLP_ENDPOINT, collector, name)
    }
    const own = shop.services.traefik?.command ?? []
    const traced = overlay.services.traefik?.command ?? []
    assert.deepEqual(traced.slice(0, own.length).toSorted(), own.toSorted())
    assert.ok(traced.includes(`--tracing.otlp.http.endpoint=${collector}/v1/traces`))
  })

  it('scrapes every process of the shop', async () => {
    const { scrape_configs } = parse(await readDocument(`${folder}/prometheus.yml`)) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
    }
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

  it('mounts files that exist, and pins its images', async () => {
    for (const [name, { image, volumes = [] }] of Object.entries(overlay.services)) {
      if (image) assert.match(image, /:v?\d+\.\d+\.\d+$/, name)
      for (const [path = ''] of volumes.map((volume) => volume.split(':'))) {
        if (!path.startsWith('./') || !path.endsWith('.yml')) continue
        assert.ok((await readDocument(path)).length > 0, path)
      }
    }
  })
})

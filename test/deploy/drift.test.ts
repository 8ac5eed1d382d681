import assert from 'node:assert/strict'
import { databases } from '../../prisma/databases.ts'
import { localSecrets } from '../../scripts/kubernetes/secrets.ts'
import { enginesOf, serviceNames } from '../../scripts/stack/services.ts'
import {
  type ComposeFile,
  type ComposeService,
  freshEnv,
  isJob,
  isOurs,
  megabytes,
  resolveComposeFile,
} from '../compose/compose-file.ts'
import { readDocument } from '../docs/markdown.ts'
import { containersOf, type Manifests, readOverlay, toolsTimeoutMs } from './manifests.ts'

/** Of compose, and not in a cluster, with the reason. */
const composeOnly: Record<string, string> = {
  kafdrop: 'a view of Kafka for one machine',
  bench: 'measures one machine',
  'redis-cluster-light': 'the set-up of the other profile',
  'redis-4': 'a replica of a node',
  'redis-5': 'a replica of a node',
  'redis-6': 'a replica of a node',
}

/** Where a service of compose runs under another name: the workload. */
const renamed: Record<string, string> = {
  ...Object.fromEntries([...databases, 'temporal'].map((name) => [`${name}-db`, 'postgres'])),
  ...Object.fromEntries([1, 2, 3].map((node) => [`redis-${node}`, 'redis'])),
  'temporal-schema': 'temporal',
}

/** Of the cluster, and not in compose. */
const clusterOnly = ['postgres', 'redis', 'traefik-grpc']

/** Variables that differ from compose, with their value in a cluster. */
const differing: Record<string, string> = {
  DRAIN_NOTICE_MS: '3000',
  GRPC_ADDRESS: 'traefik-grpc:9090',
  REDIS_NODES: 'redis-1:7000,redis-2:7000,redis-3:7000',
  KAFKA_LOG_DIRS: '/var/lib/kafka/data/logs',
}

describe('deploy/kubernetes and docker-compose.yml', function () {
  this.timeout(toolsTimeoutMs)

  let file: ComposeFile
  let text: string
  let values: Record<string, string>
  let local: Manifests
  let production: Manifests
  let secrets: Record<string, string>

  before(async () => {
    values = freshEnv()
    file = await resolveComposeFile(values)
    text = await readDocument('docker-compose.yml')
    local = await readOverlay('local')
    production = await readOverlay('production')
    secrets = Object.fromEntries(
      localSecrets(values).flatMap(({ metadata, stringData }) =>
        Object.entries(stringData).map(([key, value]) => [`${metadata.name}/${key}`, value]),
      ),
    )
  })

  const composed = (name: string): ComposeService => {
    const found = file.services[name]
    assert.ok(found, `compose has no ${name}`)
    return found
  }

  const expectedEnv = (name: string) =>
    Object.fromEntries(
      Object.entries(composed(name).environment ?? {}).map(([variable, value]) => [
        variable,
        differing[variable] ?? String(value),
      ]),
    )

  /** Services that run in both under one name. */
  const inBoth = () =>
    Object.keys(file.services).filter((name) => !(name in composeOnly) && !(name in renamed))

  it('run the same services, jobs and engines', () => {
    const expected = [...inBoth(), ...clusterOnly]

    const run = local.workloads.map(({ metadata }) => metadata.name)

    assert.deepEqual(run.sort(), expected.sort())
    for (const name of Object.values(renamed)) local.workload(name)
  })

  it('give every container the same variables with the same values', () => {
    // Its settings are arguments in both.
    const withoutVariables = ['traefik', 'mailhog']
    for (const name of inBoth().filter((each) => !withoutVariables.includes(each))) {
      const found = local.environment(local.container(name), secrets)
      const expected = expectedEnv(name)
      // Set by Kubernetes, from the addresses of Services.
      if (name === 'redis-cluster') expected.REDIS_NODES = found.REDIS_NODES ?? 'none'
      // All databases are in one PostgreSQL.
      if (name === 'temporal') expected.POSTGRES_PWD = secrets['postgres/postgres'] ?? 'none'

      assert.deepEqual(found, expected, name)
    }
  })

  it('give the services the same variables in production', () => {
    for (const name of serviceNames) {
      const found = production.environment(production.container(name))

      assert.deepEqual(Object.keys(found).sort(), Object.keys(expectedEnv(name)).sort(), name)
      assert.equal(found.APP_ENV, 'production')
      for (const [variable, value] of Object.entries(found)) {
        assert.doesNotMatch(
          value,
          /(?<![\w.-])(kafka|redis-\d|temporal|minio|provider):\d/,
          variable,
        )
      }
    }
  })

  it('serve in production the files of the store that media writes to', () => {
    const { MINIO_URL } = production.environment(production.container('media'))
    const { MINIO_URLS } = production.environment(production.container('traefik'))

    assert.equal(MINIO_URLS, MINIO_URL)
  })

  it('take from Secrets what compose takes from secrets, and in production the same', () => {
    const names = [...text.matchAll(/\$\{(\w+):\?/g)].map(([, name = '']) => name)
    const isSecret = (value: unknown) =>
      names.some((name) => String(value).includes(values[name] ?? name))

    assert.ok(names.length > 12)
    for (const name of inBoth()) {
      const { environment = {} } = composed(name)
      const expected = Object.keys(environment).filter((each) => isSecret(environment[each]))
      // Elsewhere a mail server asks for a password.
      if (name === 'mail') expected.push('SMTP_URL')

      const found = local.secretVariables(local.container(name))

      assert.deepEqual(Object.keys(found).sort(), expected.sort(), name)
      if (serviceNames.includes(name as never)) {
        assert.deepEqual(production.secretVariables(production.container(name)), found)
      }
    }
  })

  it('run the same programs with the same arguments', () => {
    // Proxies and PostgreSQL have their own tests; Redis has its arguments in a script.
    for (const name of inBoth().filter((each) => each !== 'traefik')) {
      const { command = [], args = [] } = local.container(name)

      assert.deepEqual([...command, ...args], composed(name).command ?? [], name)
    }
    for (const [name, { entrypoint = [], command = [] }] of Object.entries(file.services)) {
      const script = local.container('redis').args?.join(' ').replace(/\s+/g, ' ') ?? ''
      if (!/^redis-[123]$/.test(name)) continue
      const words = [...entrypoint, ...command].filter((word) => !/^(70\d\d|10\.)/.test(word))
      for (const word of words.filter(Boolean)) assert.ok(script.includes(word), word)
    }
  })

  it('run the same images, each named once', async () => {
    const used = new Set(
      local.workloads.flatMap(({ spec }) =>
        containersOf(spec.template.spec).map(({ image }) => image),
      ),
    )
    const images = Object.entries(file.services)
      .filter(([name]) => !(name in composeOnly))
      .map(([, { image }]) => image)

    assert.deepEqual([...used].sort(), [...new Set(images)].sort())
    const ours = new Set(
      production.workloads.flatMap(({ spec }) =>
        containersOf(spec.template.spec)
          .map(({ image }) => image)
          .filter((image) => image.includes('saga-orchestration')),
      ),
    )
    const { version } = JSON.parse(await readDocument('package.json'))
    assert.equal(ours.size, 1)
    assert.ok([...ours][0]?.endsWith(`/saga-orchestration:${version}`))
  })

  it('listen on the same ports, and Services have them', () => {
    const expected = (name: string) => {
      const published = composed(name).ports?.map((port) => Number(port.split(':').at(-1))) ?? []
      return [...(composed(name).expose ?? []).map(Number), ...published].sort()
    }
    for (const name of inBoth().filter((each) => !isJob(composed(each)) && each !== 'traefik')) {
      const ports = local.container(name).ports ?? []

      assert.deepEqual(ports.map(({ containerPort }) => containerPort).sort(), expected(name), name)
      // Nobody calls mail.
      if (name === 'mail') continue
      const service = local.find('Service', name).spec.ports as { port: number }[]
      assert.deepEqual(service.map(({ port }) => port).sort(), expected(name), name)
    }
  })

  it('limit the memory of each of our processes alike, and end it later', () => {
    const mebibytes = (size = '') => megabytes(size.replace('Mi', 'm').replace('Gi', 'g'))
    const graceMs = 12_000
    assert.ok(text.includes(`stop_grace_period: ${graceMs / 1000}s`))

    for (const name of inBoth().filter((each) => isOurs(composed(each)))) {
      const { resources } = local.container(name)
      const { terminationGracePeriodSeconds = 30 } = local.workload(name).spec.template.spec

      const limit = mebibytes(resources.limits.memory)
      assert.equal(limit, megabytes(composed(name).mem_limit ?? ''), name)
      assert.ok(mebibytes(resources.requests.memory) < limit, name)
      assert.ok(terminationGracePeriodSeconds * 1000 > graceMs, name)
    }
  })

  it('give databases to the same services, and none starts before its migration', () => {
    for (const name of serviceNames) {
      const { initContainers = [] } = production.workload(name).spec.template.spec
      const [migrated] = initContainers
      assert.equal(initContainers.length, enginesOf(name).includes('postgres' as never) ? 1 : 0)
      if (!migrated) continue

      assert.deepEqual(migrated.args, ['prisma/migrate.ts', 'status', name])
      const job = production.environment(production.container(`migrate-${name}`))
      assert.deepEqual(production.environment(migrated), job)
      assert.deepEqual(Object.values(job), [
        production.environment(production.container(name)).DATABASE_URL,
      ])
    }
  })

  it('configure Traefik, PostgreSQL and Temporal with the same files', async () => {
    const copies = {
      'traefik.yml': 'base/traefik/routes.yml',
      'scripts/stack/set-up/database.sh': 'overlays/local/engines/database.sh',
      'temporal/dynamic-config.json': 'overlays/local/engines/dynamic-config.json',
    }

    for (const [original, copied] of Object.entries(copies)) {
      const path = `deploy/kubernetes/${copied}`
      assert.equal(await readDocument(path), await readDocument(original), path)
    }
    const script = local.find('ConfigMap', configOf('postgres')).data?.['databases.sh'] ?? ''
    const [, names = ''] = /^for service in (.*); do$/m.exec(script) ?? []
    assert.deepEqual(names.split(' ').sort(), databases.toSorted())
  })

  const configOf = (name: string): string => {
    const { volumes = [] } = local.workload(name).spec.template.spec
    return volumes.find(({ configMap }) => configMap)?.configMap?.name ?? 'none'
  }
})

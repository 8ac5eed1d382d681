import assert from 'node:assert/strict'
import { parse } from 'yaml'
import { databases } from '../../prisma/databases.ts'
import { clusterSettings } from '../../scripts/stack/cluster/kafka.ts'
import { poolerSettings } from '../../scripts/stack/cluster/pgbouncer.ts'
import { type TemporalPorts, temporalPorts } from '../../scripts/stack/cluster/ports.ts'
import { startOf } from '../../scripts/stack/cluster/servers.ts'
import { gatewayConfig, temporalConfig } from '../../scripts/stack/cluster/temporal-config.ts'
import { serviceNames } from '../../scripts/stack/services.ts'
import { readDocument, section, tables } from '../docs/markdown.ts'
import { type BothStacks, openBothStacks } from './both-stacks.ts'
import { clusterFile } from './cluster-file.ts'
import { isJob, megabytes } from './compose-file.ts'

const folder = 'deploy/cluster'
const servers = ['postgres', 'postgres-2']
const brokers = ['kafka', 'kafka-2', 'kafka-3']
const temporals = ['temporal', 'temporal-2']

/** The lines of an INI file that say something. */
const settings = (text: string) =>
  text.split('\n').flatMap((line) => (line.startsWith(';') ? [] : line.trim() || []))

describe(`${clusterFile} and the native cluster`, () => {
  let stacks: BothStacks

  before(async () => {
    stacks = await openBothStacks('cluster')
  })

  after(() => stacks.close())

  const environmentOf = (name: string) => stacks.service(name).environment ?? {}

  for (const name of serviceNames) {
    it(`give ${name} the same variables with the same values`, () => {
      const composed = Object.entries(environmentOf(name)).map(([variable, value]) => [
        variable,
        stacks.asNative(String(value)),
      ])

      const native = stacks.nativeEnv(name)
      // Built into the image.
      if (name === 'account') native.WEB_ROOT = 'web/dist'
      // All listen on the same port, each at an address of its own.
      native.KAFKA_BROKERS &&= native.KAFKA_BROKERS.replace(/:\d+/g, ':9092')
      assert.deepEqual(Object.fromEntries(composed), native)
    })
  }

  it('give the brokers the same settings', () => {
    const voters = brokers.map((name, index) => `${index + 1}@${name}:9093`).join()
    for (const [index, name] of brokers.entries()) {
      const environment = environmentOf(name)
      for (const [setting, value] of Object.entries({ ...clusterSettings, 'node.id': index + 1 })) {
        const variable = `KAFKA_${setting.toUpperCase().replaceAll('.', '_')}`
        assert.equal(String(environment[variable]), String(value), `${name} ${variable}`)
      }
      assert.equal(environment.KAFKA_CONTROLLER_QUORUM_VOTERS, voters)
      assert.equal(environment.KAFKA_ADVERTISED_LISTENERS, `PLAINTEXT://${name}:9092`)
    }
    const { environment = {}, depends_on = {} } = stacks.service('topics')
    assert.equal(environment.KAFKA_BROKERS, brokers.map((name) => `${name}:9092`).join())
    assert.deepEqual(Object.keys(depends_on).sort(), brokers)
  })

  it('give the PostgreSQL servers the same settings', async () => {
    const native = await startOf(stacks.native, { number: 1, name: 'postgres', dir: '', port: 1 })
    const pairs = (words: string[]) => words.filter((word) => /^\w+=/.test(word))
    // Of the image, and of the two scripts.
    const elsewhere = /^(port|listen_addresses|unix_socket_directories|primary_conninfo)=/
    const expected = pairs(native.args).filter((pair) => !elsewhere.test(pair))

    for (const name of servers) {
      const { command = [], environment = {} } = stacks.service(name)
      assert.deepEqual(pairs(command).sort(), expected.sort())
      assert.equal(environment.SERVER, name)
      assert.ok(servers.includes(String(environment.OTHER)) && environment.OTHER !== name)
    }
    const script = await readDocument(`${folder}/postgres.sh`)
    const conninfo = native.args.find((word) => word.startsWith('primary_conninfo='))
    assert.match(String(conninfo), /user=replicator application_name=postgres$/)
    assert.match(script, /primary="host=\$OTHER user=replicator"/)
    assert.match(script, /primary_conninfo=\$primary application_name=\$SERVER"$/m)
  })

  it('give PgBouncer the same settings', async () => {
    const ofCompose = /^dns_/
    const composed = settings(await readDocument(`${folder}/pgbouncer.ini`))
      .filter((line) => !ofCompose.test(line))
      .map((line) =>
        line
          .replace('host=PRIMARY', 'host=127.0.0.1')
          .replace(/^listen_addr = \*/, 'listen_addr = 127.0.0.1'),
      )

    const native = settings(poolerSettings(5432, 5432, '/tmp'))

    assert.deepEqual(composed, native)
  })

  it('make every database with its role, and tell PgBouncer the passwords of all roles', async () => {
    const [, made = ''] =
      /for service in (.*); do/.exec(await readDocument(`${folder}/databases.sh`)) ?? []
    const [, known = ''] =
      /for user in (.*); do/.exec(await readDocument(`${folder}/pgbouncer.sh`)) ?? []

    assert.deepEqual(made.split(' '), [...databases])
    assert.deepEqual(known.split(' '), ['postgres', ...databases, 'temporal'])
    for (const role of [...databases, 'temporal']) {
      const variable = `${role.toUpperCase()}_DB_PASSWORD`
      for (const name of [...servers, 'pgbouncer'])
        assert.ok(environmentOf(name)[variable], variable)
    }
  })

  it('migrate each database in a session of its own', () => {
    for (const name of databases) {
      const { environment = {}, depends_on = {} } = stacks.service(`migrate-${name}`)
      const url = environmentOf(name).DATABASE_URL

      assert.equal(environment[`${name.toUpperCase()}_DATABASE_URL`], `${url}_session`)
      assert.deepEqual(depends_on, { pgbouncer: { condition: 'service_healthy' } })
    }
  })

  it('give both Temporal processes the same settings, and each an address of its own', () => {
    const [ports] = temporalPorts(stacks.native.ports) as [TemporalPorts]
    const config = temporalConfig(ports, stacks.native.ports, 'secret')
    const { temporal, temporal_visibility } = config.persistence.datastores

    for (const name of temporals) {
      const { environment = {}, networks } = stacks.service(name)
      assert.equal(environment.NUM_HISTORY_SHARDS, config.persistence.numHistoryShards)
      assert.equal(environment.DB, temporal.sql.pluginName)
      assert.equal(environment.POSTGRES_USER, temporal.sql.user)
      assert.equal(environment.SQL_MAX_CONNS, temporal.sql.maxConns)
      assert.equal(environment.SQL_MAX_IDLE_CONNS, temporal.sql.maxIdleConns)
      assert.equal(environment.SQL_VIS_MAX_CONNS, temporal_visibility.sql.maxConns)
      assert.equal(environment.SQL_VIS_MAX_IDLE_CONNS, temporal_visibility.sql.maxIdleConns)
      const address = (networks as Record<string, { ipv4_address: string }>).back?.ipv4_address
      assert.equal(environment.TEMPORAL_BROADCAST_ADDRESS, address)
    }
    const [one, two] = temporals.map((name) => environmentOf(name).TEMPORAL_BROADCAST_ADDRESS)
    assert.notEqual(one, two)
  })

  it('lead to both Temporal processes', async () => {
    const text = await readDocument(`${folder}/temporal-gateway.yml`)
    const addresses = temporals.map((name) => ({ address: `${name}:7233` }))
    const native = gatewayConfig([7233, 7233])
    native.tcp.services.temporal.loadBalancer.servers = addresses

    assert.deepEqual(parse(text), native)
  })

  it('connect to PostgreSQL by the pooler, to Temporal by the gateway, and to all brokers', () => {
    for (const [name, { environment = {} }] of Object.entries(stacks.file.services)) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/DATABASE_URL$/.test(variable)) assert.match(String(value), /@pgbouncer:5432\//, name)
        if (/^(POSTGRES_SEEDS|SQL_HOST)$/.test(variable)) assert.equal(value, 'pgbouncer', name)
        if (variable === 'TEMPORAL_ADDRESS') assert.equal(value, 'temporal-gateway:7233', name)
        if (/^KAFKA_BROKER(S|CONNECT)$/.test(variable)) {
          assert.equal(value, brokers.map((broker) => `${broker}:9092`).join(), name)
        }
      }
    }
  })

  it('leave connections to PostgreSQL for all that connect', async () => {
    const { command = [] } = stacks.service('postgres')
    const [, accepted] = /max_connections=(\d+)/.exec(command.join(' ')) ?? []
    const pooler = await readDocument(`${folder}/pgbouncer.ini`)
    const pools = [...pooler.matchAll(/^\w+_db = .* pool_size=(\d+)/gm)].map(([, size]) => size)
    const { SQL_MAX_CONNS, SQL_VIS_MAX_CONNS } = environmentOf('temporal')
    const parts = 4
    const ofTemporal =
      temporals.length * parts * (Number(SQL_MAX_CONNS) + Number(SQL_VIS_MAX_CONNS))
    const ofServices = pools.reduce((sum, size) => sum + Number(size), 0)
    // Migrations, the schema of Temporal, what watches the standby, and three for administrators.
    const others = databases.length + 1 + 1 + 3

    assert.equal(pools.length, databases.length)
    assert.ok(ofServices + ofTemporal + others <= Number(accepted))
  })

  it('have the versions of docker-compose.yml', async () => {
    const { services } = stacks.file
    const text = await readDocument('docker-compose.yml')

    for (const [name, { image }] of Object.entries(services)) {
      if (name !== 'pgbouncer') assert.ok(text.includes(` ${image}\n`), `${name}: ${image}`)
    }
  })

  it('are documented with their memory limits', async () => {
    const [table] = tables(
      section(await readDocument('docs/cluster.md'), '### What runs in containers'),
    )
    const limits = Object.fromEntries(
      (table?.rows ?? []).flatMap(([names = '', , limit]) =>
        [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => [name, Number(limit)]),
      ),
    )
    const base = Object.keys(
      parse(await readDocument('docker-compose.yml'), { merge: true, maxAliasCount: -1 }).services,
    )
    const own = Object.entries(stacks.file.services).filter(
      ([name, service]) =>
        !isJob(service) && (!base.includes(name) || [...brokers, ...temporals].includes(name)),
    )

    assert.deepEqual(
      limits,
      Object.fromEntries(own.map(([name, { mem_limit }]) => [name, megabytes(mem_limit ?? '')])),
    )
  })
})

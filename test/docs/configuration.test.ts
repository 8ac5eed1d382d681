import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { resolvePorts } from '../../scripts/stack/ports.ts'
import { serviceEnv } from '../../scripts/stack/service-env.ts'
import { type ServiceName, serviceNames } from '../../scripts/stack/services.ts'
import { readConfig as account } from '../../services/account/config.ts'
import { readConfig as mail } from '../../services/mail/config.ts'
import { readConfig as media } from '../../services/media/config.ts'
import { readConfig as orchestrator } from '../../services/orchestrator/config.ts'
import { readConfig as order } from '../../services/order/config.ts'
import { readConfig as payment } from '../../services/payment/config.ts'
import { readConfig as product } from '../../services/product/config.ts'
import { readConfig as purchase } from '../../services/purchase/config.ts'
import { testStack } from '../helpers/stack.ts'
import { testTokens } from '../helpers/tokens.ts'
import { checkout, codes, readDocument, rowsOf, section, tables } from './markdown.ts'

const readers: Record<ServiceName, () => object> = {
  account,
  product,
  order,
  payment,
  purchase,
  orchestrator,
  media,
  mail,
}

/** A value that each required variable accepts. */
const samples: Record<string, string> = {
  HTTP_PORT: '0',
  GRPC_PORT: '0',
  GRPC_ADDRESS: 'localhost:1',
  DATABASE_URL: 'postgresql://localhost/shop',
  KAFKA_BROKERS: 'localhost:1',
  JWT_VERIFY_KEYS: JSON.stringify(testTokens.config.JWT_VERIFY_KEYS),
  JWT_SIGNING_KEY: JSON.stringify(testTokens.signingKey),
  JWT_ISSUER: 'issuer',
  JWT_AUDIENCE: 'audience',
  OPERATOR_TOKENS: '{}',
  OPERATOR_SESSION_KEYS: Buffer.alloc(32).toString('base64url'),
  CODE_SEALING_KEYS: Buffer.alloc(32).toString('base64url'),
  OPERATOR_EMAIL: 'operator@example.com',
  TEMPORAL_ADDRESS: 'localhost:1',
  TEMPORAL_NAMESPACE: 'shop',
  STRIPE_API_URL: 'http://localhost',
  STRIPE_API_KEY: 'sk_test_sample',
  STRIPE_WEBHOOK_SECRETS: 'whsec_sample',
  MINIO_URL: 'http://localhost',
  MINIO_ACCESS_KEY: 'key',
  MINIO_SECRET_KEY: 'secret',
  SMTP_URL: 'smtp://localhost',
}

/** Calls a function under another environment. */
function underEnvironment<T>(environment: Record<string, string>, call: () => T): T {
  const before = process.env
  process.env = environment
  try {
    return call()
  } finally {
    process.env = before
  }
}

describe('docs/configuration.md', () => {
  type Row = { name: string; services: string; default: string; launcher: string }
  let text: string
  let rows: Row[]

  before(async () => {
    text = await readDocument('docs/configuration.md')
    rows = rowsOf(text, 'variable', 'services', 'default', 'rule', 'launcher').map((row) => ({
      name: codes(row.variable)[0] ?? '',
      services: row.services,
      default: row.default === 'empty' ? '' : (codes(row.default)[0] ?? row.default),
      launcher: row.launcher,
    }))
  })

  const rowsFor = (service: ServiceName) =>
    rows.filter(({ services }) => services === 'all' || services.split(', ').includes(service))

  for (const service of serviceNames) {
    it(`lists every variable of ${service} with its default`, () => {
      const documented = rowsFor(service)
      const required = documented.filter((row) => row.default === 'required')
      const environment = Object.fromEntries(
        required.map(({ name }) => [name, samples[name] ?? 'no sample']),
      )

      const config = underEnvironment(environment, readers[service])

      assert.deepEqual(Object.keys(config).sort(), documented.map(({ name }) => name).sort())
      for (const row of documented.filter((other) => !required.includes(other))) {
        assert.equal(String(config[row.name as keyof typeof config]), row.default, row.name)
      }
    })

    it(`says without which variables ${service} does not start`, () => {
      const required = rowsFor(service).filter((row) => row.default === 'required')

      let message = ''
      try {
        underEnvironment({}, readers[service])
      } catch (error) {
        message = (error as Error).message
      }

      const named = [...message.matchAll(/\b([A-Z][A-Z_]+): /g)].map(([, name]) => name)
      assert.deepEqual(named.sort(), required.map(({ name }) => name).sort())
    })

    it(`says what the launcher gives to ${service}`, async () => {
      const stack = await testStack()
      const own = '4711'

      for (const { name, launcher } of rowsFor(service)) {
        const given = underEnvironment({ [name]: own }, () => serviceEnv(service, stack))[name]
        const does = given === own ? 'passes on' : given === undefined ? '–' : 'sets'
        assert.equal(does, launcher, name)
      }
    })
  }

  it('lists every variable that the launcher itself reads', async () => {
    const paths = await Array.fromAsync(glob('scripts/{stack.ts,stack/**/*.ts}', { cwd: checkout }))
    const sources = await Promise.all(
      paths.filter((path) => !path.endsWith('.test.ts')).map(readDocument),
    )
    const read = sources.flatMap((source) =>
      [...source.matchAll(/process\.env\.([A-Z_]+)/g)].map(([, name = '']) => name),
    )

    const documented = rowsOf(text, 'variable', 'default', 'meaning')

    assert.deepEqual(
      documented.map(({ variable }) => codes(variable)[0]).sort(),
      [...new Set(read)].sort(),
    )
  })

  it('lists every variable of traefik.yml', async () => {
    const routes = await readDocument('traefik.yml')
    const read = [...routes.matchAll(/env "([A-Z_]+)"/g)].map(([, name = '']) => name)

    const documented = codes(section(text, '## Traefik')).filter((code) => code.endsWith('_URLS'))

    assert.deepEqual(documented.sort(), read.sort())
  })

  it('lists every port with its variable', () => {
    const [table] = tables(section(text, '## Ports'))
    const pairs = (table?.rows ?? []).flatMap(
      ([a = '', b = '', c = '', d = '', e = '', f = '']) => [
        [a, b],
        [c, d],
        [e, f],
      ],
    )
    const documented = pairs
      .filter(([port]) => port)
      .map(([port, what = '']) => ({ port: Number(port), variable: codes(what)[0] ?? '' }))
    const defaults = resolvePorts(0, {})

    assert.equal(documented.length, Object.keys(defaults).length)
    for (const { port, variable } of documented) {
      const moved = resolvePorts(0, { [variable]: '12345' })
      const names = Object.entries(defaults).filter(([, value]) => value === port)
      assert.equal(names.length, 1, `${port}`)
      assert.equal(moved[names[0]?.[0] as keyof typeof moved], 12345, variable)
    }
  })
})

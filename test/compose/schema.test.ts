import assert from 'node:assert/strict'
import { Ajv } from 'ajv'
import { readDocument } from '../docs/markdown.ts'
import { clusterFile, readClusterFile, resolveClusterFile } from './cluster-file.ts'
import {
  type ComposeFile,
  freshEnv,
  MissingVariableError,
  readComposeFile,
  resolveComposeFile,
} from './compose-file.ts'

/*
 * compose-spec.json is schema/compose-spec.json of the Compose Specification (compose-spec/compose-spec on GitHub,
 * commit
 * 170098ba07d9f53c383a41bfd4c5166b0a4529a6, Apache License 2.0), reformatted.
 */

describe('docker-compose.yml', () => {
  let validate: (file: unknown) => string[]

  before(async () => {
    const schema = JSON.parse(await readDocument('test/compose/compose-spec.json'))
    // It names its draft by https, which ajv knows by http only.
    const ajv = new Ajv({ strict: false, allErrors: true })
    const check = ajv.compile({ ...schema, $schema: 'http://json-schema.org/draft-07/schema#' })
    validate = (file) =>
      check(file) ? [] : (check.errors ?? []).map((e) => `${e.instancePath} ${e.message}`)
  })

  it('is what the Compose Specification says, before and after variables are put in', async () => {
    assert.deepEqual(validate(await readComposeFile()), [])
    assert.deepEqual(validate(await resolveComposeFile(freshEnv())), [])
    assert.deepEqual(validate(await readClusterFile()), [])
    assert.deepEqual(validate(await resolveClusterFile(freshEnv())), [])
  })

  it('would not be with a key or a condition that does not exist', async () => {
    const wrongKey: ComposeFile = structuredClone(await readComposeFile())
    Object.assign(wrongKey.services.account ?? {}, { memory_limit: '1g' })
    const wrongCondition: ComposeFile = structuredClone(await readComposeFile())
    Object.assign(wrongCondition.services.account?.depends_on ?? {}, {
      topics: { condition: 'service_ready' },
    })

    assert.notDeepEqual(validate(wrongKey), [])
    assert.notDeepEqual(validate(wrongCondition), [])
  })

  it('makes other secrets for every checkout', () => {
    const one = freshEnv()
    const other = freshEnv()

    for (const name of Object.keys(one).filter((each) => each !== 'COMPOSE_PROFILES')) {
      assert.notEqual(one[name], other[name], name)
    }
  })
})

type Case = {
  title: string
  read: () => Promise<ComposeFile>
  resolve: typeof resolveComposeFile
  /** Secrets that it has no use for. */
  unused: string[]
  /** Those that it names and uses. */
  volumesOf(file: ComposeFile): string[]
}

const replaced = /-db$/
const cases: Case[] = [
  {
    title: 'docker-compose.yml',
    read: readComposeFile,
    resolve: resolveComposeFile,
    unused: ['REPLICATOR_PASSWORD'],
    volumesOf: ({ volumes }) => Object.keys(volumes),
  },
  {
    title: `docker-compose.yml with ${clusterFile}`,
    read: readClusterFile,
    resolve: resolveClusterFile,
    unused: [],
    // Those of the servers that it leaves out are named still.
    volumesOf: ({ volumes }) => Object.keys(volumes).filter((name) => !replaced.test(name)),
  },
]

for (const { title, read, resolve, unused, volumesOf } of cases)
  describe(title, () => {
    it('depends only on services that run under the same profiles', async () => {
      const { services } = await read()

      for (const [name, { depends_on = {}, profiles = [] }] of Object.entries(services)) {
        for (const [needed, { required = true }] of Object.entries(depends_on)) {
          const service = services[needed]
          assert.ok(service, `${name} needs ${needed}`)
          if (!service.profiles || !required) continue
          assert.ok(profiles.length > 0, `${name} always runs, ${needed} does not`)
          assert.ok(
            profiles.every((profile) => service.profiles?.includes(profile)),
            `${name} needs ${needed}`,
          )
        }
      }
    })

    it('names every volume and network that it uses, and no other', async () => {
      const file = await read()
      const services = Object.values(file.services)
      const volumes = services.flatMap((service) =>
        (service.volumes ?? []).map((volume) => volume.split(':')[0] ?? ''),
      )
      const networks = services.flatMap(({ networks: used }) =>
        Array.isArray(used) ? used : Object.keys(used),
      )

      const named = volumes.filter((volume) => !volume.startsWith('.'))
      assert.deepEqual([...new Set(named)].sort(), volumesOf(file).sort())
      assert.deepEqual([...new Set(networks)].sort(), Object.keys(file.networks).sort())
    })

    it('has no default for any secret, and is complete with those of npm run compose-secrets', async () => {
      // The file knows only the hash of an operator's token.
      const others = ['COMPOSE_PROFILES', 'OPERATOR_TOKEN', ...unused]
      const secrets = Object.keys(freshEnv()).filter((name) => !others.includes(name))

      assert.ok(secrets.length >= 12)
      const whole = freshEnv()
      for (const name of secrets) {
        const { [name]: _, ...env } = whole
        await assert.rejects(
          resolve(env),
          (error) => error instanceof MissingVariableError && error.message === name,
          name,
        )
      }
      await resolve(freshEnv())
    })

    it('has no secret written into it', async () => {
      const { services } = await read()
      const secret = /PASSWORD|_PWD$|SECRET|ACCESS_KEY|ROOT_USER|SIGNING_KEY|VERIFY_KEYS/

      for (const [name, { environment = {} }] of Object.entries(services)) {
        for (const [variable, value] of Object.entries(environment)) {
          if (secret.test(variable))
            assert.match(String(value), /^\$\{\w+:\?[^}]*\}$/, `${name} ${variable}`)
          const inUrl = /:\/\/[^:/]+:([^@]*)@/.exec(String(value))?.[1]
          if (inUrl !== undefined) assert.match(inUrl, /^\$\{\w+:\?/, `${name} ${variable}`)
        }
      }
    })
  })

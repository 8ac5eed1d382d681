import assert from 'node:assert/strict'
import { type PortName, portNumbers, redisPorts, resolvePorts } from '../../scripts/stack/ports.ts'
import { enginesOf, serviceNames } from '../../scripts/stack/services.ts'
import { readDocument } from '../docs/markdown.ts'
import { type BothStacks, openBothStacks } from './both-stacks.ts'
import { freshEnv, isJob, resolveComposeFile } from './compose-file.ts'

/** Runs in compose only. */
const kafdropPort = 9002

describe('docker-compose.yml and the native stack', () => {
  let stacks: BothStacks

  before(async () => {
    stacks = await openBothStacks()
  })

  after(() => stacks.close())

  it('run the same services', () => {
    const run = Object.entries(stacks.file.services).filter(([, { command = [] }]) =>
      command.some((word) => word.startsWith('services/')),
    )

    assert.deepEqual(run.map(([name]) => name).sort(), serviceNames.toSorted())
    for (const [name, { command }] of run) {
      assert.deepEqual(command, ['node', `services/${name}/main.ts`])
    }
  })

  for (const name of serviceNames) {
    it(`give ${name} the same variables with the same values`, () => {
      const composed = Object.entries(stacks.service(name).environment ?? {}).map(
        ([variable, value]) => [variable, stacks.asNative(String(value))],
      )

      const native = stacks.nativeEnv(name)
      // Built into the image.
      if (name === 'account') native.WEB_ROOT = 'web/dist'
      assert.deepEqual(Object.fromEntries(composed), native)
    })

    it(`start ${name} when the same engines are ready`, () => {
      const ready: Record<string, string[]> = {
        postgres: [`migrate-${name}`],
        redis: ['redis-1', 'redis-2', 'redis-3'],
        kafka: ['topics'],
        temporal: ['temporal-namespace'],
        minio: ['buckets'],
        maildev: ['mailhog'],
        provider: ['provider'],
      }
      const expected = enginesOf(name).flatMap((engine) => ready[engine] ?? [])

      const dependencies = stacks.service(name).depends_on ?? {}

      assert.deepEqual(Object.keys(dependencies).sort(), expected.sort())
      for (const [needed, { condition }] of Object.entries(dependencies)) {
        const done = isJob(stacks.service(needed))
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
        Object.entries(stacks.nativeEnv(name)).flatMap(([variable, value]) =>
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
    const listening = Object.values(stacks.file.services).flatMap(({ ports = [], expose = [] }) => [
      ...ports.map((port) => Number(port.split(':').at(-1))),
      ...expose.map(Number),
    ])
    const native = Object.keys(stacks.native.ports).flatMap((name) =>
      name === 'redis'
        ? redisPorts(stacks.native.ports)
        : portNumbers(stacks.native.ports, name as PortName),
    )

    const expected = [...native, kafdropPort]
    assert.deepEqual([...new Set(listening)].sort(), [...new Set(expected)].sort())
    for (const name of serviceNames) {
      const { environment = {}, expose } = stacks.service(name)
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
      assert.equal(stacks.native.ports[name as PortName], Number(port), variable)
    }
  })

  it('route to the same services', async () => {
    const routes = await readDocument('traefik.yml')
    const targets = [...routes.matchAll(/default "(http|h2c):\/\/([a-z]+):(\d+)"/g)]
    const composed = serviceNames.flatMap((name) => {
      const { environment = {} } = stacks.service(name)
      return [
        `http ${name} ${environment.HTTP_PORT}`,
        ...(environment.GRPC_PORT ? [`h2c ${name} ${environment.GRPC_PORT}`] : []),
      ]
    })

    const minioPort = new URL(String(stacks.service('media').environment?.MINIO_URL)).port
    const routed = new Set(targets.map(([, protocol, host, port]) => `${protocol} ${host} ${port}`))
    const inside = ['http mail 3008']
    assert.deepEqual(
      [...routed].sort(),
      [
        ...composed.filter((target) => !inside.includes(target)),
        `http minio ${minioPort}`,
        `http lab ${stacks.service('lab').environment?.HTTP_PORT}`,
      ].sort(),
    )
  })
})

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { cached } from '../cache.ts'
import type { StackInfo } from '../client.ts'
import { nodeEnv, nodeFlags } from '../compiled.ts'
import type { ProcessSpec } from '../engine.ts'
import { findJava } from '../engines/java.ts'
import { mavenJars } from '../engines/kafka.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { type Ports, resolvePorts } from '../ports.ts'
import { probeHttp } from '../probe.ts'
import { findPrometheus } from '../prometheus-programs.ts'
import type { ServiceName } from '../services.ts'
import { type ObserveOptions, prometheusConfig } from './prometheus-config.ts'

const checkout = join(import.meta.dirname, '../../..')
const ownRules = join(checkout, 'deploy', 'observability')
const zipkinVersion = '3.4.4'

/** What `--observe` adds listens on these, moved by the offset of the others. */
const table = {
  zipkin: [9411, 'ZIPKIN_PORT'],
  prometheus: [9094, 'PROMETHEUS_PORT'],
  otlp: [4318, 'OTLP_PORT'],
  temporalSdk: [3206, 'ORCHESTRATOR_METRICS_PORT'],
} as const

export type ObservePorts = Record<keyof typeof table, number>

/** What `--observe` adds to a stack. */
export function observe(
  stackPorts: Ports,
  env: Record<string, string | undefined>,
  { rules = ownRules, timesFaster = 1 }: Partial<ObserveOptions> = {},
) {
  const ports = observePorts(stackPorts.postgres - resolvePorts(0, {}).postgres, env)
  return {
    ports,
    otlp: {
      endpoint: `http://127.0.0.1:${ports.otlp}`,
      share: env.OTEL_TRACES_SAMPLER_ARG || '0.1',
    },
    specs: (stack: StackInfo, log: Log) => observeSpecs(stack, ports, { rules, timesFaster }, log),
    envOf: (service: ServiceName): Record<string, string> =>
      service === 'orchestrator'
        ? { TEMPORAL_METRICS_ADDRESS: `127.0.0.1:${ports.temporalSdk}` }
        : {},
  }
}

function observePorts(offset: number, env: Record<string, string | undefined>): ObservePorts {
  const ports = Object.entries(table).map(([name, [port, variable]]) => [
    name,
    Number(env[variable] || port + offset),
  ])
  return Object.fromEntries(ports) as ObservePorts
}

/** Prometheus and Zipkin, and what receives spans for Zipkin. */
async function observeSpecs(
  stack: StackInfo,
  ports: ObservePorts,
  options: ObserveOptions,
  log: Log,
): Promise<ProcessSpec[]> {
  const zipkinUrl = `http://127.0.0.1:${ports.zipkin}`
  const bridge = join('scripts', 'stack', 'observe', 'bridge.ts')
  return [
    await prometheusSpec(stack, ports, options, log),
    await zipkinSpec(stack, ports, log),
    {
      name: 'otlp-bridge',
      kind: 'engine',
      command: process.execPath,
      args: [...nodeFlags, bridge],
      env: { ...baseEnv(), ...nodeEnv, OTLP_PORT: `${ports.otlp}`, ZIPKIN_URL: zipkinUrl },
      cwd: checkout,
      ports: [ports.otlp],
      probe: () => probeHttp(`http://127.0.0.1:${ports.otlp}/health`),
    },
  ]
}

async function zipkinSpec(stack: StackInfo, ports: ObservePorts, log: Log): Promise<ProcessSpec> {
  const dir = join(stack.dataDir, 'zipkin')
  await mkdir(dir, { recursive: true })
  const jars = await cached(`zipkin-${zipkinVersion}`, log, (fresh) =>
    mavenJars(join(import.meta.dirname, 'zipkin-jars.txt'), fresh),
  )
  const jar = join(jars, 'jars', `zipkin-server-${zipkinVersion}.jar`)
  return {
    name: 'zipkin',
    kind: 'engine',
    command: await findJava(log),
    args: ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-jar', jar],
    env: { ...baseEnv(), QUERY_PORT: `${ports.zipkin}`, MEM_MAX_SPANS: '100000' },
    cwd: dir,
    ports: [ports.zipkin],
    probe: () => probeHttp(`http://127.0.0.1:${ports.zipkin}/health`),
  }
}

async function prometheusSpec(
  stack: StackInfo,
  ports: ObservePorts,
  options: ObserveOptions,
  log: Log,
): Promise<ProcessSpec> {
  const dir = join(stack.dataDir, 'prometheus')
  await mkdir(dir, { recursive: true })
  const config = join(dir, 'prometheus.yml')
  await writeFile(config, stringify(prometheusConfig(stack, ports, options)))
  return {
    name: 'prometheus',
    kind: 'engine',
    command: await findPrometheus(log),
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      '--storage.tsdb.retention.time=15d',
      `--web.listen-address=127.0.0.1:${ports.prometheus}`,
    ],
    env: baseEnv(),
    cwd: dir,
    ports: [ports.prometheus],
    probe: () => probeHttp(`http://127.0.0.1:${ports.prometheus}/-/ready`),
  }
}

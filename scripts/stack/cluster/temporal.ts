import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { waitFor } from '../../../shared/runtime/wait-for.ts'
import { connectToTemporal } from '../../../temporal/connect.ts'
import { setUpTemporal } from '../../../temporal/setup.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { buildTemporalServer, buildTemporalUi } from '../engines/temporal-server.ts'
import * as traefik from '../engines/traefik.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { probeHttp } from '../probe.ts'
import { clusterDir } from '../profile.ts'
import { replicaName } from '../replicas.ts'
import { run } from '../run-command.ts'
import { temporalDatabases } from './pgbouncer.ts'
import { temporalPorts, temporalServices } from './ports.ts'
import { loadClusterSecrets } from './secrets.ts'
import { gatewayConfig, temporalConfig, uiConfig } from './temporal-config.ts'

/** Those of docker-compose.yml. */
export const serverVersion = '1.32.0'
export const uiVersion = '2.54.1'
export const after = ['postgres']

export async function install(log: Log): Promise<void> {
  await Promise.all([
    buildTemporalServer(serverVersion, log),
    buildTemporalUi(uiVersion, log),
    traefik.install(log),
  ])
}

/** A server that has just started, or one that left, may be the one that is asked first. */
export async function setUp({ urls }: StackInfo): Promise<void> {
  const set = () => setUpTemporal(urls.temporal).then(() => true)
  await waitFor('the namespace of Temporal', set, 60_000)
}

/** Does nothing where it was done before. */
async function createSchemas(stack: StackInfo, server: string, password: string): Promise<void> {
  const tool = join(server, 'temporal-sql-tool')
  const env = {
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: '127.0.0.1',
    SQL_PORT: `${stack.ports.postgres}`,
    SQL_USER: 'temporal',
    SQL_PASSWORD: password,
  }
  for (const database of temporalDatabases) {
    const kind = database === 'temporal' ? 'temporal' : 'visibility'
    const versions = join(server, 'schema/postgresql/v12', kind, 'versioned')
    await run(tool, ['--db', database, 'setup-schema', '-v', '0.0'], { env })
    await run(tool, ['--db', database, 'update-schema', '-d', versions], { env })
  }
}

async function probeFrontend(port: number): Promise<void> {
  const connection = await connectToTemporal(`127.0.0.1:${port}`, 2_000)
  await connection.close()
}

/** Two processes of the server, the gateway in front of them, and the Web UI. */
export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const dir = join(clusterDir(stack.dataDir), 'temporal')
  await mkdir(dir, { recursive: true })
  const { temporal: password } = await loadClusterSecrets(stack.dataDir)
  const server = await buildTemporalServer(serverVersion, log)
  await createSchemas(stack, server, password)
  const ports = temporalPorts(stack.ports)

  const servers = ports.map(async (own, index): Promise<ProcessSpec> => {
    const name = replicaName('temporal', index + 1)
    const config = join(dir, `${name}.yaml`)
    await writeFile(config, stringify(temporalConfig(own, stack.ports, password)), { mode: 0o600 })
    return {
      name,
      kind: 'engine',
      command: join(server, 'temporal-server'),
      args: [
        ...['--config-file', config, '--allow-no-auth', 'start'],
        ...temporalServices.flatMap((service) => ['--service', service]),
      ],
      // Collects garbage a quarter as often, up to the memory limit.
      env: { ...baseEnv(), GOGC: '400', GOMEMLIMIT: '384MiB' },
      cwd: dir,
      ports: Object.values(own).flatMap(({ grpc, membership }) => [grpc, membership]),
      probe: () => probeFrontend(own.frontend.grpc),
    }
  })
  return [
    ...(await Promise.all(servers)),
    await gatewaySpec(
      stack,
      dir,
      ports.map(({ frontend }) => frontend.grpc),
      log,
    ),
    await uiSpec(stack, dir, log),
  ]
}

async function gatewaySpec(
  { ports }: StackInfo,
  dir: string,
  frontends: number[],
  log: Log,
): Promise<ProcessSpec> {
  const config = join(dir, 'gateway.yaml')
  await writeFile(config, stringify(gatewayConfig(frontends)))
  return {
    name: 'temporal-gateway',
    kind: 'engine',
    command: join(await traefik.install(log), 'bin', 'traefik'),
    args: [
      `--entryPoints.temporal.address=127.0.0.1:${ports.temporal}`,
      `--providers.file.filename=${config}`,
      '--global.checkNewVersion=false',
      '--global.sendAnonymousUsage=false',
    ],
    env: baseEnv(),
    // Where Traefik finds no configuration by itself.
    cwd: dir,
    ports: [ports.temporal],
    probe: () => probeFrontend(ports.temporal),
  }
}

async function uiSpec({ ports }: StackInfo, dir: string, log: Log): Promise<ProcessSpec> {
  await writeFile(join(dir, 'ui.yaml'), stringify(uiConfig(ports)))
  return {
    name: 'temporal-ui',
    kind: 'engine',
    command: join(await buildTemporalUi(uiVersion, log), 'ui-server'),
    args: ['--root', dir, '--config', '.', '--env', 'ui', 'start'],
    env: baseEnv(),
    cwd: dir,
    ports: [ports.temporalUi],
    probe: () => probeHttp(`http://127.0.0.1:${ports.temporalUi}/`),
  }
}

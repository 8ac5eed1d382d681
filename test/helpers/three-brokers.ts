import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type StackInfo, stackUrls } from '../../scripts/stack/client.ts'
import { brokerName, install, prepare } from '../../scripts/stack/cluster/kafka.ts'
import { freeOffset, resolvePorts } from '../../scripts/stack/ports.ts'
import { loadSecrets } from '../../scripts/stack/secrets.ts'
import { createSupervisor } from '../../scripts/stack/supervisor.ts'

const quiet = () => {}

/** Kafka as a cluster of engines has it, and nothing else. A broker that is lost stays down. */
export async function startThreeBrokers() {
  await using starting = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-brokers-'))
  starting.defer(() => rm(dataDir, { recursive: true, force: true }))
  const { offset, lock } = await freeOffset('cluster')
  starting.defer(() => lock.release())
  const ports = resolvePorts(offset, {})
  const urls = stackUrls(ports, 'cluster')
  const stack: StackInfo = { dataDir, ports, urls, secrets: await loadSecrets(dataDir) }
  await install(quiet)
  const supervisor = createSupervisor(dataDir, quiet)
  starting.defer(() => supervisor.stopAll())
  const specs = await prepare(stack, quiet)
  await Promise.all(specs.map((spec) => supervisor.add(spec)))
  const open = starting.move()

  return {
    brokers: urls.kafkaBrokers,

    /** kill -9 of the broker with this id. */
    async lose(id: number): Promise<void> {
      supervisor.signal(brokerName(id), 'SIGKILL')
      await supervisor.stop(brokerName(id))
    },

    /** Starts every broker that is down, and waits until all are ready. */
    recover: () => supervisor.ensure(),

    close: () => open.disposeAsync(),
  }
}

export type ThreeBrokers = Awaited<ReturnType<typeof startThreeBrokers>>

import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { type Broker, brokerSettings, brokerSpec, newClusterId } from '../engines/kafka.ts'
import type { Log } from '../log.ts'
import { clusterDir } from '../profile.ts'
import { replicaName } from '../replicas.ts'
import { brokerPorts } from './ports.ts'

export { install, setUp } from '../engines/kafka.ts'

/** What differs from a single broker: each message is on three of them, and on two before it is acknowledged. */
export const clusterSettings = {
  ...brokerSettings,
  'default.replication.factor': 3,
  'min.insync.replicas': 2,
  'offsets.topic.replication.factor': 3,
  'transaction.state.log.replication.factor': 3,
  'transaction.state.log.min.isr': 2,
  'share.coordinator.state.topic.replication.factor': 3,
  'share.coordinator.state.topic.min.isr': 2,
  // Brokers that share a few cores do not take each other for dead when these are busy.
  'broker.session.timeout.ms': 6000,
  'controller.quorum.fetch.timeout.ms': 5000,
  'controller.quorum.election.timeout.ms': 2000,
}

/** Kept in a file, since brokers may be formatted one after another. */
async function clusterId(dir: string): Promise<string> {
  const file = join(dir, 'cluster-id')
  if (!existsSync(file)) {
    await mkdir(dir, { recursive: true })
    await writeFile(`${file}.tmp`, newClusterId())
    await rename(`${file}.tmp`, file)
  }
  return readFile(file, 'utf8')
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const dir = join(clusterDir(stack.dataDir), 'kafka')
  const id = await clusterId(dir)
  const ports = brokerPorts(stack.ports)
  const voters = ports.map(({ controller }, index) => `${index + 1}@127.0.0.1:${controller}`).join()
  const brokers = ports.map(({ client, controller }, index): Broker => {
    const name = brokerName(index + 1)
    return {
      name,
      dir: join(dir, name),
      port: client,
      controllerPort: controller,
      voters,
      clusterId: id,
      settings: { ...clusterSettings, 'node.id': index + 1 },
      maxHeap: '320m',
    }
  })
  return Promise.all(brokers.map((broker) => brokerSpec(broker, log)))
}

/** The process of the broker with this id. */
export function brokerName(id: number): string {
  return replicaName('kafka', id)
}

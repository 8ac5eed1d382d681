import { join } from 'node:path'
import { databaseUrl, type StackInfo } from './client.ts'
import { nodeEnv, nodeFlags } from './compiled.ts'
import type { ProcessSpec } from './engine.ts'
import { baseEnv } from './environment.ts'
import { probeHttp } from './probe.ts'
import { operatorsEnv, providerEnv } from './service-env.ts'

const checkout = join(import.meta.dirname, '../..')

/** The failure lab: no service of the shop, but a process beside it that breaks it on request. */
export function labSpec(stack: StackInfo): ProcessSpec {
  const { ports, urls } = stack
  return {
    name: 'lab',
    kind: 'service',
    command: process.execPath,
    args: [...nodeFlags, join('lab', 'main.ts')],
    env: {
      ...baseEnv(),
      ...nodeEnv,
      ...operatorsEnv(stack),
      APP_ENV: 'local',
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: String(ports.lab),
      SHOP_URL: urls.api,
      OPERATOR_API_URL: urls.operators,
      PRODUCT_DATABASE_URL: databaseUrl(stack, 'product'),
      ORDER_DATABASE_URL: databaseUrl(stack, 'order'),
      PAYMENT_DATABASE_URL: databaseUrl(stack, 'payment'),
      PURCHASE_DATABASE_URL: databaseUrl(stack, 'purchase'),
      ...providerEnv(stack),
      STACK_DATA: stack.dataDir,
    },
    cwd: checkout,
    ports: [ports.lab],
    probe: () => probeHttp(`http://127.0.0.1:${ports.lab}/health/ready`),
  }
}

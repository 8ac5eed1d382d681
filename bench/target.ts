import { databaseUrl, type StackInfo, type StackStatus } from '../scripts/stack-client.ts'
import type { SnapshotUrls } from './snapshot.ts'

/** A running shop and the ways into it. */
export type Target = {
  api: string
  databases: SnapshotUrls
  kafkaBrokers: string[]
  temporal: string
  /** Its processes on this machine, if a launcher knows them. */
  status?: () => Promise<StackStatus>
}

type Stack = Pick<StackInfo, 'ports' | 'secrets' | 'urls'> & { status?: Target['status'] }

/** A native stack as a target. */
export function targetOf(stack: Stack): Target {
  return {
    api: stack.urls.api,
    databases: {
      product: databaseUrl(stack, 'product'),
      order: databaseUrl(stack, 'order'),
      payment: databaseUrl(stack, 'payment'),
      purchase: databaseUrl(stack, 'purchase'),
    },
    kafkaBrokers: stack.urls.kafkaBrokers,
    temporal: stack.urls.temporal,
    ...(stack.status && { status: stack.status }),
  }
}

/** The shop that the environment names, as in compose; undefined when BENCH_API_URL is not set. */
export function targetFrom(env: Record<string, string | undefined>): Target | undefined {
  if (!env.BENCH_API_URL) return undefined
  const need = (name: string) => {
    const value = env[name]
    if (value) return value
    throw new Error(`BENCH_API_URL is set, so ${name} must be set as well`)
  }
  return {
    api: env.BENCH_API_URL,
    databases: {
      product: need('PRODUCT_DATABASE_URL'),
      order: need('ORDER_DATABASE_URL'),
      payment: need('PAYMENT_DATABASE_URL'),
      purchase: need('PURCHASE_DATABASE_URL'),
    },
    kafkaBrokers: need('KAFKA_BROKERS').split(','),
    temporal: need('TEMPORAL_ADDRESS'),
  }
}

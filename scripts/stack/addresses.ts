import { kafkaEnv } from '../../shared/kafka/config.ts'
import { env, loadConfig } from '../../shared/runtime/config.ts'
import { connectStack, databaseUrl, type StackInfo } from './client.ts'

/** The addresses of a shop that is measured or checked: its API, its engines, and each database with its own role. */
export type Addresses = {
  api: string
  kafkaBrokers: string[]
  temporal: string
  databases: Record<(typeof databases)[number], string>
  /** The payment provider, whose list the reconciler reads. */
  provider: { url: string; key: string }
}

const databases = ['product', 'order', 'payment', 'purchase'] as const

export function addressesOf(stack: Pick<StackInfo, 'ports' | 'secrets' | 'urls'>): Addresses {
  const { api, kafkaBrokers, temporal } = stack.urls
  const urls = databases.map((name) => [name, databaseUrl(stack, name)])
  const provider = { url: stack.urls.provider, key: stack.secrets.provider.key }
  return { api, kafkaBrokers, temporal, databases: Object.fromEntries(urls), provider }
}

/** Of the shop that SHOP_URL and the variables beside it name, as in compose; without it, of the native stack. */
export async function findAddresses(): Promise<Addresses> {
  if (!process.env.SHOP_URL)
    return addressesOf(await connectStack(process.env.STACK_DATA || '.stack'))
  const config = loadConfig(
    {
      SHOP_URL: env.text,
      KAFKA_BROKERS: kafkaEnv.KAFKA_BROKERS,
      TEMPORAL_ADDRESS: env.text,
      PRODUCT_DATABASE_URL: env.text,
      ORDER_DATABASE_URL: env.text,
      PAYMENT_DATABASE_URL: env.text,
      PURCHASE_DATABASE_URL: env.text,
      STRIPE_API_URL: env.text,
      STRIPE_API_KEY: env.text,
    },
    process.env,
  )
  return {
    api: config.SHOP_URL,
    kafkaBrokers: config.KAFKA_BROKERS,
    temporal: config.TEMPORAL_ADDRESS,
    databases: {
      product: config.PRODUCT_DATABASE_URL,
      order: config.ORDER_DATABASE_URL,
      payment: config.PAYMENT_DATABASE_URL,
      purchase: config.PURCHASE_DATABASE_URL,
    },
    provider: { url: config.STRIPE_API_URL, key: config.STRIPE_API_KEY },
  }
}

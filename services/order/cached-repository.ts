import { createFinalReader } from '../../shared/cache/final-cache.ts'
import type { Redis } from '../../shared/cache/redis.ts'
import type { OrderStatus } from '../../shared/contracts/order.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { OrderRepository, OwnedOrder } from './repository.ts'

type CachedOrder = Omit<OwnedOrder, 'status' | 'lines'> & { status: string; lines: string }

const fields = {
  id: 'string',
  customerId: 'string',
  status: 'string',
  lines: 'string',
  amount: 'number',
  currency_code: 'string',
  created_at: 'string',
} as const

/** CONFIRMED and CANCELLED are ends: both statements that write a status ask for PENDING. */
const isFinal = ({ status }: CachedOrder) => status !== 'PENDING'

/** The order database with Redis in front of its reads by id. Only orders that cannot change any more are kept. */
export function createCachedRepository(
  repository: OrderRepository,
  {
    redis,
    metrics: { registry },
    prefix = '',
  }: {
    redis: Redis
    metrics: Pick<Metrics, 'registry'>
    /** Of all keys: keeps those of a test apart. */
    prefix?: string
  },
): OrderRepository {
  const orders = createFinalReader<CachedOrder>({
    redis,
    registry,
    name: `${prefix}order`,
    fields,
    isFinal,
    async load(id) {
      const order = await repository.findOrder(id)
      return order && { ...order, lines: JSON.stringify(order.lines) }
    },
  })
  return {
    ...repository,

    async findOrder(id) {
      const order = await orders.read(id.toLowerCase())
      if (!order) return undefined
      const { status, lines, ...rest } = order
      return { ...rest, status: status as OrderStatus, lines: JSON.parse(lines) }
    },
  }
}

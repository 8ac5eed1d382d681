import { createFinalReader } from '../../shared/cache/final-cache.ts'
import type { Redis } from '../../shared/cache/redis.ts'
import type { PaymentStatus } from '../../shared/contracts/payment.ts'
import type { Metrics } from '../../shared/runtime/metrics.ts'
import type { OwnedPayment, PaymentRepository } from './repository.ts'

type CachedPayment = Omit<OwnedPayment, 'status'> & { status: string }

const fields = {
  id: 'string',
  customerId: 'string',
  status: 'string',
  amount: 'number',
  currency_code: 'string',
  method: 'string',
  refunded_amount: 'number',
  created_at: 'string',
} as const

/** CAPTURED is not among them: while its reply is on the way the purchase may run out of time, and is refunded. */
const finals: ReadonlySet<string> = new Set<PaymentStatus>(['DECLINED', 'REFUNDED', 'VOIDED'])
const isFinal = ({ status }: CachedPayment) => finals.has(status)

/** The payment database with Redis in front of its reads by id. Only payments that cannot change any more are kept. */
export function createCachedRepository(
  repository: PaymentRepository,
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
): PaymentRepository {
  const payments = createFinalReader<CachedPayment>({
    redis,
    registry,
    name: `${prefix}payment`,
    fields,
    isFinal,
    load: (id) => repository.findPayment(id),
  })
  return {
    ...repository,

    async findPayment(id) {
      const payment = await payments.read(id.toLowerCase())
      // What an earlier version kept has no refunded amount, and none of what is kept can be refunded.
      return (
        payment && {
          ...payment,
          refunded_amount: payment.refunded_amount ?? 0,
          status: payment.status as PaymentStatus,
        }
      )
    },
  }
}

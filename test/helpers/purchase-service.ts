import { Registry } from 'prom-client'
import type { createCheckout } from '../../services/purchase/checkout.ts'
import type { NewPurchase, StartLimits } from '../../services/purchase/queue-repository.ts'
import type { Repository } from '../../services/purchase/repository.ts'
import type { Limits } from '../../services/purchase/service.ts'
import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import { createLogger } from '../../shared/runtime/logger.ts'

const plenty = 10_000

/** Limits that no test meets by accident. */
export const noLimits: Limits = {
  maxUnfinished: plenty,
  maxUnfinishedPerCustomer: plenty,
  maxStarted: plenty,
  maxStartedPerCustomer: plenty,
}
export const noStartLimits: StartLimits = {
  perCustomer: plenty,
  inAll: plenty,
  countedForMs: 300_000,
}

/** Where purchases of tests go. */
export const testDelivery = {
  name: 'Mai Nguyễn',
  address: '12 Lê Lợi, Huế',
  phone_number: '0901234567',
}

/** account, which has the same address for everybody. */
const accounts = {
  GetDeliveries: async ({ account_ids }: { account_ids: string[] }) => ({
    deliveries: account_ids.map((account_id) => ({ account_id, ...testDelivery })),
  }),
}

/** The defaults of the purchase service in tests. */
export function serviceDefaults() {
  return {
    accounts,
    limits: noLimits,
    overdueMs: 300_000,
    currencyCode: 'VND',
    requireVerifiedEmail: false,
    registry: new Registry(),
    logger: createLogger('purchase', 'silent'),
  }
}

/** The same for checkout alone, which then refuses and holds nothing. */
export function checkoutDefaults() {
  return {
    accounts,
    publishAccepted: async () => undefined,
    unfinished: {
      refusal: () => undefined,
      refuseCustomer: (customerId) => new Error(`${customerId} was refused`) as never,
    },
    startLimits: noStartLimits,
    maxUnfinishedPerCustomer: plenty,
    metrics: { accepted: () => undefined },
    currencyCode: 'VND',
    requireVerifiedEmail: false,
  } satisfies Partial<Parameters<typeof createCheckout>[0]>
}

/** Stores purchases as if they had just been accepted. */
export function storeAccepted(
  repository: Pick<Repository, 'insert'>,
  accepted: PurchaseAccepted[],
  limits: StartLimits = noStartLimits,
  maxUnfinished = plenty,
) {
  const purchases: NewPurchase[] = accepted.map((one) => ({
    accepted: one,
    delivery: testDelivery,
    sales: [],
    idempotencyKey: null,
    bodyHash: 'hash',
  }))
  return repository.insert(purchases, maxUnfinished, limits)
}

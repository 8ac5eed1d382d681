import type { Registry } from 'prom-client'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import type { Publish } from '../../shared/messaging/bus.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { createAudit } from './audit.ts'
import { createCancellation } from './cancellation.ts'
import { createCheckout } from './checkout.ts'
import type { IdempotencyCache } from './idempotency-cache.ts'
import { createPurchaseMetrics } from './metrics.ts'
import { createProgress } from './progress.ts'
import type { ProgressFeed } from './progress-feed.ts'
import { createPublishing } from './publishing.ts'
import type { StartLimits } from './queue-repository.ts'
import { createRefundEnds } from './refunds.ts'
import type { Repository } from './repository.ts'
import { createSales } from './sales.ts'
import { createStalledSweeps } from './stalled.ts'
import { createUnfinishedLimits } from './unfinished.ts'

/** Bounds of what has not ended (`…Unfinished`) and of what has started of it. */
export type Limits = {
  maxUnfinished: number
  maxUnfinishedPerCustomer: number
  maxStarted: number
  maxStartedPerCustomer: number
}

type Deps = {
  repository: Repository
  products: Pick<GrpcClient<'product'>, 'GetProducts'>
  accounts: Pick<GrpcClient<'auth'>, 'GetDeliveries'>
  sagas: Pick<GrpcClient<'saga'>, 'Cancel'>
  publish: Publish
  idempotencyCache?: IdempotencyCache
  feed: ProgressFeed
  currencyCode: string
  /** How long a purchase without progress counts as in progress. */
  overdueMs: number
  limits: Limits
  requireVerifiedEmail: boolean
  registry: Registry
  logger: Logger
}

/** The parts of the service, each of which decides one thing. */
export function createPurchaseService(deps: Deps) {
  const { limits } = deps
  const metrics = createPurchaseMetrics(deps.registry)
  const startLimits: StartLimits = {
    perCustomer: limits.maxStartedPerCustomer,
    inAll: limits.maxStarted,
    countedForMs: deps.overdueMs,
  }
  const unfinished = createUnfinishedLimits({ ...deps, maxInAll: limits.maxUnfinished })
  const publishing = createPublishing({ ...deps, startLimits, metrics })
  return {
    unfinished,
    publishing,
    checkout: createCheckout({
      ...deps,
      unfinished,
      startLimits,
      maxUnfinishedPerCustomer: limits.maxUnfinishedPerCustomer,
      publishAccepted: publishing.publishReleased,
      metrics,
    }),
    cancellation: createCancellation(deps),
    progress: createProgress({ ...deps, metrics, onRoom: publishing.noteEnded }),
    stalled: createStalledSweeps({ ...deps, publishAccepted: publishing.publishNow }),
    audit: createAudit(deps.repository),
    refunds: createRefundEnds(deps),
    sales: createSales(deps.repository),
  }
}

export type PurchaseService = ReturnType<typeof createPurchaseService>

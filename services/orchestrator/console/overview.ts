import type { Client } from '@temporalio/client'
import type { Overview } from '../../../shared/contracts/console.ts'
import { purchaseStatus } from '../../../shared/contracts/search-attributes.ts'
import type { GrpcClient } from '../../../shared/grpc/client.ts'
import { ofPurchases } from '../saga/visibility.ts'

const maxAttention = 20
/** Of the rates: long enough to be smooth, short enough to show what happens now. */
const rateMinutes = 5
const countDeadlineMs = 3_000

type Deps = {
  client: Client
  purchases: Pick<GrpcClient<'purchase'>, 'CountOpen' | 'ListAttention'>
}

/** How all purchases stand. Every part is bounded: open rows, a page of those that wait, and counts of five minutes. */
export function createOverview({ client, purchases }: Deps) {
  const count = async (query: string): Promise<number> => {
    const { count } = await client.withDeadline(Date.now() + countDeadlineMs, () =>
      client.workflow.count(query),
    )
    return Number(count)
  }

  async function rates(): Promise<NonNullable<Overview['per_minute']>> {
    const since = new Date(Date.now() - rateMinutes * 60_000).toISOString()
    const ended = (status: string) =>
      count(`CloseTime > '${since}' AND ${purchaseStatus.name} = '${status}'`)
    const [started = 0, completed = 0, rejected = 0, cancelled = 0, resolved = 0] =
      await Promise.all([
        count(`StartTime > '${since}' AND ${ofPurchases}`),
        ended('COMPLETED'),
        ended('REJECTED'),
        ended('CANCELLED'),
        ended('RESOLVED'),
      ])
    const perMinute = (total: number) => Math.round((total / rateMinutes) * 10) / 10
    return {
      started: perMinute(started),
      completed: perMinute(completed),
      rejected: perMinute(rejected),
      cancelled: perMinute(cancelled),
      resolved: perMinute(resolved),
    }
  }

  async function attention(): Promise<Overview['attention']> {
    const { purchases: found } = await purchases.ListAttention({ limit: maxAttention })
    return found.map(({ since, reason, ...rest }) => ({
      ...rest,
      reason: reason || null,
      since: new Date(since).toISOString(),
    }))
  }

  async function open(): Promise<NonNullable<Overview['open']>> {
    const { oldest_at: oldest, ...counts } = await purchases.CountOpen({})
    return { ...counts, oldest_at: oldest ? new Date(oldest).toISOString() : null }
  }

  return async (): Promise<Overview> => {
    const [counts, waiting, perMinute] = await Promise.allSettled([open(), attention(), rates()])
    const rows = counts.status === 'fulfilled' && waiting.status === 'fulfilled'
    return {
      at: new Date().toISOString(),
      open: counts.status === 'fulfilled' ? counts.value : null,
      per_minute: perMinute.status === 'fulfilled' ? perMinute.value : null,
      attention: waiting.status === 'fulfilled' ? waiting.value : [],
      unavailable: [
        ...(rows ? [] : ['purchase']),
        ...(perMinute.status === 'fulfilled' ? [] : ['temporal']),
      ],
    }
  }
}

import type { Client } from '@temporalio/client'
import type { OperatorSession } from '../../../shared/contracts/console.ts'
import type { GrpcClient } from '../../../shared/grpc/client.ts'
import type { SagaView } from '../saga/view.ts'
import type { DeadLetters } from './dead-letters.ts'
import { createDetails } from './details.ts'
import { createLive } from './live.ts'
import { createOverview } from './overview.ts'

const overviewEveryMs = 2_000
const sagaEveryMs = 1_000

type Deps = {
  client: Client
  view: Pick<SagaView, 'get'>
  purchases: GrpcClient<'purchase'>
  orders: GrpcClient<'order'>
  payments: GrpcClient<'payment'>
  products: GrpcClient<'product'>
  deadLetters: DeadLetters
  temporalUiUrl: string
}

/** What operators look at, beside the actions on sagas. */
export function createConsole(deps: Deps) {
  const { namespace } = deps.client.workflow.options
  const temporalUrl = `${deps.temporalUiUrl}/namespaces/${namespace}`
  const details = createDetails({ ...deps, temporalUrl })
  const overview = createOverview(deps)
  const liveOverview = createLive({
    event: 'overview',
    everyMs: overviewEveryMs,
    read: () => overview(),
  })
  const liveSagas = createLive({
    event: 'saga',
    everyMs: sagaEveryMs,
    read: details,
    isEnd: ({ final }) => final,
  })

  return {
    details,
    overview,
    deadLetters: deps.deadLetters,
    live: {
      overview: (signal: AbortSignal) => liveOverview.watch('', signal),
      saga: liveSagas.watch,
    },
    sessionOf: ({
      operator,
      operatorUntil: until,
    }: {
      operator: string
      operatorUntil: number | undefined
    }): OperatorSession => ({
      operator,
      expires_at: until === undefined ? null : new Date(until).toISOString(),
      temporal_url: `${temporalUrl}/workflows`,
    }),
  }
}

export type Console = ReturnType<typeof createConsole>

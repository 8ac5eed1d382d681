import type { consoleRoutes } from '../../shared/contracts/console.ts'
import type { operatorRoutes, refundSagaRoutes } from '../../shared/contracts/operator.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { Console } from './console/console.ts'
import type { Sagas } from './saga/sagas.ts'

export function createHandlers(
  { view, operations, refunds }: Pick<Sagas, 'view' | 'operations' | 'refunds'>,
  { details, overview, deadLetters, live, sessionOf }: Console,
): Handlers<typeof operatorRoutes & typeof refundSagaRoutes & typeof consoleRoutes> {
  return {
    listSagas: ({ query }) => view.list(query),
    getSaga: ({ params }) => view.get(params.id),
    retrySaga: ({ params, body, operator }) =>
      operations.retry({ purchaseId: params.id, operator, ...body }),
    resolveSaga: ({ params, body, operator }) =>
      operations.resolve({ purchaseId: params.id, operator, ...body }),
    cancelSaga: ({ params, body, operator }) =>
      operations.cancel({ purchaseId: params.id, operator, ...body }),

    getRefundSaga: ({ params }) => refunds.get(params.id),
    retryRefund: ({ params, body, operator }) =>
      refunds.retry({ refundId: params.id, operator, ...body }),
    resolveRefund: ({ params, body, operator }) =>
      refunds.resolve({ refundId: params.id, operator, ...body }),

    beginSession: async (input) => sessionOf(input),
    getSession: async (input) => sessionOf(input),
    endSession: async () => undefined,
    getOverview: () => overview(),
    watchOverview: ({ signal }) => live.overview(signal),
    getSagaDetails: ({ params }) => details(params.id),
    watchSaga: ({ params, headers, signal }) =>
      live.saga(params.id, signal, headers['last-event-id']),
    listDeadLetters: ({ query, operator }) => deadLetters.list(operator, query),
    getDeadLetter: ({ params, operator }) => deadLetters.find(operator, params),
    replayDeadLetter: ({ params, body, operator }) => deadLetters.replay(operator, params, body),
    discardDeadLetter: ({ params, body, operator }) =>
      deadLetters.discard(operator, params, body.note),
  }
}

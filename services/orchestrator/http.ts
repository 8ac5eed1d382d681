import type { operatorRoutes } from '../../shared/contracts/operator.ts'
import type { Handlers } from '../../shared/route.ts'
import type { Operations } from './operations.ts'

export function createHandlers(operations: Operations): Handlers<typeof operatorRoutes> {
  return {
    listSagas: ({ query }) => operations.list(query),
    getSaga: ({ params }) => operations.get(params.id),
    retrySaga: ({ params, body, operator }) =>
      operations.retry({ purchaseId: params.id, operator, ...body }),
    resolveSaga: ({ params, body, operator }) =>
      operations.resolve({ purchaseId: params.id, operator, ...body }),
    cancelSaga: ({ params, body, operator }) =>
      operations.cancel({ purchaseId: params.id, operator, ...body }),
  }
}

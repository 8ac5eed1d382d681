import { z } from 'zod'
import { parseRequest } from '../../shared/grpc/request.ts'
import type { GrpcHandlers } from '../../shared/grpc/services.ts'
import type { AccountService } from './service.ts'

const GetDeliveries = z.object({ account_ids: z.array(z.uuid()).max(100) })

export function createGrpcHandlers(service: AccountService): GrpcHandlers<'auth'> {
  return {
    Authenticate: ({ access_token }) => service.authenticate(access_token),
    async GetDeliveries(request) {
      const { account_ids } = parseRequest(GetDeliveries, request)
      return { deliveries: await service.getDeliveries(account_ids) }
    },
  }
}

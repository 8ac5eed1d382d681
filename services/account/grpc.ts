import type { GrpcHandlers } from '../../shared/grpc.ts'
import type { AccountService } from './service.ts'

export function createGrpcHandlers(service: AccountService): GrpcHandlers<'auth'> {
  return {
    Authenticate: async ({ access_token }) => ({
      account_id: await service.authenticate(access_token),
    }),
  }
}

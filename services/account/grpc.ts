import type { GrpcHandlers } from '../../shared/grpc.ts'
import type { AccountService } from './service.ts'

export function createGrpcHandlers(service: AccountService): GrpcHandlers<'auth'> {
  return { Authenticate: ({ access_token }) => service.authenticate(access_token) }
}

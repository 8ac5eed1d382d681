import type { accountRoutes } from '../../shared/contracts/account.ts'
import type { Handlers } from '../../shared/http.ts'
import type { AccountService } from './service.ts'

export function createHandlers(service: AccountService): Handlers<typeof accountRoutes> {
  return {
    register: ({ body }) => service.register(body),
    login: ({ body }) => service.login(body),
    refresh: ({ body }) => service.refresh(body),
    getPersonal: ({ caller }) => service.getPersonal(caller.accountId),
    postPersonal: ({ caller }) => service.getPersonal(caller.accountId),
  }
}

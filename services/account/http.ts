import type { accountRoutes } from '../../shared/contracts/account.ts'
import type { Handlers } from '../../shared/route.ts'
import type { AccountService } from './service.ts'

export function createHandlers(service: AccountService): Handlers<typeof accountRoutes> {
  return {
    register: ({ body }) => service.register(body),
    login: ({ body }) => service.login(body),
    refresh: ({ body }) => service.refresh(body),
    logout: ({ caller, body }) => service.logout(caller, body),
    verifyEmail: ({ body }) => service.verifyEmail(body),
    resendCode: ({ body }) => service.sendCode('verify', body),
    forgotPassword: ({ body }) => service.sendCode('reset', body),
    resetPassword: ({ body }) => service.resetPassword(body),
    getPersonal: ({ caller }) => service.getPersonal(caller),
    postPersonal: ({ caller }) => service.getPersonal(caller),
    updatePersonal: ({ caller, body }) => service.updatePersonal(caller, body),
    getDelivery: ({ caller }) => service.getDelivery(caller),
    updateDelivery: ({ caller, body }) => service.updateDelivery(caller, body),
  }
}

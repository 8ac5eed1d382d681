import type { accountRoutes } from '../../shared/contracts/account.ts'
import type { accountOperatorRoutes } from '../../shared/contracts/account-operators.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { BrowserSessions } from './browser-session.ts'
import type { PersonalData } from './personal-data.ts'
import type { Roles } from './roles.ts'
import type { AccountService } from './service.ts'

export function createHandlers(
  service: AccountService,
  browsers: BrowserSessions,
  roles: Roles,
  personalData: PersonalData,
): Handlers<typeof accountRoutes & typeof accountOperatorRoutes> {
  return {
    register: ({ body, client }) => service.register(body, client),
    login: ({ body, client }) => service.login(body, client),
    refresh: ({ body }) => service.refresh(body),
    logout: ({ caller, body }) => service.logout(caller, body),
    registerInBrowser: ({ body, client }) => browsers.register(body, client),
    loginInBrowser: ({ body, client }) => browsers.login(body, client),
    refreshInBrowser: ({ refreshToken }) => browsers.refresh(refreshToken),
    logoutInBrowser: ({ caller, body }) => browsers.logout(caller, body),
    verifyEmail: ({ body, client }) => service.verifyEmail(body, client),
    resendCode: ({ body, client }) => service.sendCode('verify', body, client),
    forgotPassword: ({ body, client }) => service.sendCode('reset', body, client),
    resetPassword: ({ body, client }) => service.resetPassword(body, client),
    exportAccount: ({ caller }) => personalData.export(caller),
    deleteAccount: ({ caller, body, client }) => personalData.requestDeletion(caller, body, client),
    getPersonal: ({ caller }) => service.getPersonal(caller),
    postPersonal: ({ caller }) => service.getPersonal(caller),
    updatePersonal: ({ caller, body }) => service.updatePersonal(caller, body),
    getDelivery: ({ caller }) => service.getDelivery(caller),
    updateDelivery: ({ caller, body }) => service.updateDelivery(caller, body),
    findRoles: ({ query }) => roles.find(query.email),
    getRoles: ({ params }) => roles.get(params.id),
    setRoles: ({ params, body, operator }) => roles.set(params.id, body, operator),
  }
}

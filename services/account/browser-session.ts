import type {
  BrowserSession,
  Login,
  Logout,
  Register,
  TokenPair,
} from '../../shared/contracts/account.ts'
import type { Caller } from '../../shared/http/auth.ts'
import type { SessionCookies } from '../../shared/http/session-cookies.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { AccountService } from './service.ts'
import type { Tokens } from './tokens.ts'

type Deps = {
  service: Pick<AccountService, 'register' | 'login' | 'refresh' | 'logout'>
  tokens: Pick<Tokens, 'verifyAccess' | 'signStream' | 'accessTtlSeconds' | 'refreshTtlSeconds'>
}

type Opened = { answer: BrowserSession; cookies: SessionCookies }

/** The sessions of browsers: those of all other clients, with the refresh token in a cookie instead of the answer. */
export function createBrowserSessions({ service, tokens }: Deps) {
  function open({ refresh_token, ...answer }: TokenPair): Opened {
    const { accountId, sessionId } = tokens.verifyAccess(answer.access_token)
    return {
      answer,
      cookies: {
        refreshToken: refresh_token,
        refreshSeconds: tokens.refreshTtlSeconds,
        streamToken: tokens.signStream(accountId, sessionId),
        streamSeconds: tokens.accessTtlSeconds,
      },
    }
  }

  return {
    register: async (form: Register, client: string) => open(await service.register(form, client)),

    login: async (form: Login, client: string) => open(await service.login(form, client)),

    /** Throws AppError('unauthorized') without a cookie, or when its token can be exchanged no more. */
    async refresh(refreshToken: string | undefined): Promise<Opened> {
      if (refreshToken === undefined) throw new AppError('unauthorized', 'no session to continue')
      return open(await service.refresh({ refresh_token: refreshToken }))
    },

    async logout(caller: Caller, form: Logout) {
      return { answer: await service.logout(caller, form), cookies: null }
    },
  }
}

export type BrowserSessions = ReturnType<typeof createBrowserSessions>

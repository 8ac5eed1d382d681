import type {
  Login,
  Personal,
  Refresh,
  Register,
  TokenPair,
} from '../../shared/contracts/account.ts'
import { AppError } from '../../shared/errors.ts'
import type { Passwords } from './passwords.ts'
import type { AccountRepository } from './repository.ts'
import { hashRefreshToken, type Tokens } from './tokens.ts'

type Deps = { repository: AccountRepository; passwords: Passwords; tokens: Tokens }

export type AccountService = ReturnType<typeof createAccountService>

/** Accounts, and the tokens by which the other services know them. */
export function createAccountService({ repository, passwords, tokens }: Deps) {
  function pair(accountId: string, refreshToken: string): TokenPair {
    return {
      access_token: tokens.signAccess(accountId),
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: tokens.accessTtlSeconds,
    }
  }

  return {
    async register(form: Register): Promise<TokenPair> {
      const refresh = tokens.newRefresh()
      const account = {
        email: form.email,
        passwordHash: await passwords.hash(form.password),
        firstName: form.first_name,
        lastName: form.last_name,
        address: form.address,
        phoneNumber: form.phone_number,
      }
      const accountId = await repository.createAccount(account, refresh.stored)
      if (accountId === undefined) {
        throw new AppError('conflict', 'the email address is taken', {
          fields: [{ field: 'email', rule: 'is taken' }],
        })
      }
      return pair(accountId, refresh.token)
    },

    async login({ email, password }: Login): Promise<TokenPair> {
      const account = await repository.findAccountByEmail(email)
      const known = await passwords.matches(password, account?.passwordHash)
      if (!account || !known) {
        throw new AppError('unauthorized', 'the email address or the password is wrong')
      }
      const refresh = tokens.newRefresh()
      await repository.addRefreshToken(account.id, refresh.stored)
      return pair(account.id, refresh.token)
    },

    async refresh({ refresh_token }: Refresh): Promise<TokenPair> {
      const next = tokens.newRefresh()
      const used = hashRefreshToken(refresh_token)
      const accountId = await repository.rotateRefreshToken(used, next.stored)
      if (accountId === undefined) {
        throw new AppError('unauthorized', 'the refresh token is used, expired or not known')
      }
      return pair(accountId, next.token)
    },

    async getPersonal(accountId: string): Promise<Personal> {
      const account = existing(await repository.findAccount(accountId))
      return {
        id: account.id,
        email: account.email,
        first_name: account.firstName,
        last_name: account.lastName,
        address: account.address,
        phone_number: account.phoneNumber,
      }
    },

    /** The account of an access token that is good now. */
    async authenticate(accessToken: string): Promise<string> {
      return existing(await repository.findAccount(tokens.verifyAccess(accessToken))).id
    },
  }
}

/** A token outlives its account. */
function existing<T>(account: T | null): T {
  if (account === null) throw new AppError('unauthorized', 'the account does not exist any more')
  return account
}

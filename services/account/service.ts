import type { Notices } from '../../shared/cache/notices.ts'
import type {
  EmailOnly,
  Login,
  Logout,
  MailAnswer,
  Refresh,
  Register,
  ResetPassword,
  TokenPair,
  UpdatePersonal,
  VerifyEmail,
} from '../../shared/contracts/account.ts'
import type { Delivery, Personal } from '../../shared/contracts/personal-data.ts'
import { type Role, rolesOf } from '../../shared/contracts/role.ts'
import { createBatchedRead } from '../../shared/database/batched-read.ts'
import type { Caller, LiveSession } from '../../shared/http/auth.ts'
import type { Relay } from '../../shared/messaging/outbox.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import { type Codes, inSteps } from './codes.ts'
import type { KeyedHash } from './keyed-hash.ts'
import type { CodeKind } from './mails.ts'
import { toDelivery, toPersonal } from './mapping.ts'
import { isCommonPassword, type Passwords } from './passwords.ts'
import type { Account, AccountRepository } from './repository.ts'
import { hashRefreshToken, type Tokens } from './tokens.ts'

type Deps = {
  repository: AccountRepository
  passwords: Passwords
  tokens: Tokens
  /** Called when there is an e-mail in the outbox. */
  outbox: Pick<Relay, 'nudge'>
  /** Notifies the other services, by account id, that sessions ended or an address was verified. */
  changes: Pick<Notices, 'publish'>
  codes: Codes
  hash: KeyedHash
  refreshGraceSeconds: number
  /** Of accounts that register. */
  newAccountRoles: readonly Role[]
  logger: Logger
}

export type AccountService = ReturnType<typeof createAccountService>

/** Accounts, and the tokens by which the other services know them. */
export function createAccountService(deps: Deps) {
  const { repository, passwords, tokens, codes, hash, outbox, changes, logger } = deps

  const findOwner = createBatchedRead(repository.findOwners)

  function pair(
    account: { id: string; roles: string[] },
    sessionId: string,
    refreshToken: string,
  ): TokenPair {
    return {
      access_token: tokens.signAccess(account.id, sessionId, rolesOf(account.roles)),
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: tokens.accessTtlSeconds,
    }
  }

  /** A client as it is stored. */
  const clientHash = (client: string) => hash('client', client)

  /** Whose a code is. One answer, in the same time, for every way in which it can be no good. */
  async function checkCode(
    kind: CodeKind,
    { email, code }: { email: string; code: string },
    client: string,
  ) {
    const codeHash = codes.hashOf(kind, email, code)
    const guess = { email, kind, codeHash, guessedBy: clientHash(client) }
    const accountId = await repository.guess(guess)
    if (accountId === undefined) throw badCode()
    return { accountId, codeHash }
  }

  async function verifyEmail(form: VerifyEmail, client: string): Promise<void> {
    const { accountId, codeHash } = await checkCode('verify', form, client)
    if (!(await repository.verifyEmail(accountId, codeHash))) throw badCode()
    await changes.publish(accountId)
  }

  async function resetPassword({ password, ...form }: ResetPassword, client: string) {
    refuseCommon(password)
    const { accountId, codeHash } = await checkCode('reset', form, client)
    const passwordHash = await passwords.hash(password, client)
    if (!(await repository.resetPassword(accountId, codeHash, passwordHash))) throw badCode()
    await changes.publish(accountId)
  }

  async function sendCode(kind: CodeKind, email: string, client: string): Promise<void> {
    const account = await repository.findAccountByEmail(email)
    if (!account) return
    const { stored, mail } = codes.create(kind, account, clientHash(client))
    if (await repository.addCode(account.id, stored, mail)) outbox.nudge()
  }

  /** The account of a caller whose session has not ended. */
  async function accountOf({ accountId, sessionId }: Caller): Promise<Account> {
    const account = await repository.findAccountOfSession(accountId, sessionId)
    if (!account) throw sessionEnded()
    return account
  }

  /** Throws AppError('unauthorized') when the session of a caller has ended. */
  async function checkSession({ accountId, sessionId }: Caller): Promise<LiveSession> {
    const owner = await findOwner(sessionId)
    if (owner?.accountId !== accountId) throw sessionEnded()
    return { emailVerified: owner.emailVerified, roles: rolesOf(owner.roles) }
  }

  return {
    async register(form: Register, client: string): Promise<TokenPair> {
      refuseCommon(form.password)
      const account = {
        email: form.email,
        passwordHash: await passwords.hash(form.password, client),
        firstName: form.first_name,
        lastName: form.last_name,
        address: form.address,
        phoneNumber: form.phone_number,
        roles: [...deps.newAccountRoles],
      }
      const session = tokens.newSession(clientHash(client))
      const code = codes.create('verify', account, clientHash(client))
      const accountId = await repository.createAccount(
        account,
        session.stored,
        code.stored,
        code.mail,
      )
      if (accountId === undefined) {
        throw new AppError('conflict', 'the email address is taken', {
          fields: [{ field: 'email', rule: 'is taken' }],
        })
      }
      outbox.nudge()
      return pair({ ...account, id: accountId }, session.stored.id, session.token)
    },

    async login({ email, password }: Login, client: string): Promise<TokenPair> {
      const account = await repository.findAccountByEmail(email)
      const match = await passwords.matches(password, account?.passwordHash, client)
      if (!account || !match.equal) {
        throw new AppError('unauthorized', 'the email address or the password is wrong')
      }
      if (match.form === 'as given') {
        const composed = await passwords.hash(password, client)
        await repository.replaceHash(account.id, account.passwordHash, composed)
      }
      const session = tokens.newSession(clientHash(client))
      await repository.addSession(account.id, session.stored)
      return pair(account, session.stored.id, session.token)
    },

    async refresh({ refresh_token }: Refresh): Promise<TokenPair> {
      const next = tokens.newRefresh()
      const rotation = await repository.rotateRefreshToken(
        hashRefreshToken(refresh_token),
        next.stored,
        deps.refreshGraceSeconds,
      )
      if (rotation.outcome === 'rotated') {
        const { accountId: id, roles } = rotation
        return pair({ id, roles }, rotation.sessionId, next.token)
      }
      if (rotation.outcome === 'reused') {
        const { accountId, sessionId } = rotation
        logger.warn({ accountId, sessionId }, 'refresh token reused: session ended')
        await changes.publish(accountId)
      }
      throw new AppError('unauthorized', 'the refresh token is used, expired or not known')
    },

    async logout(caller: Caller, { everywhere }: Logout): Promise<void> {
      const account = await accountOf(caller)
      if (everywhere) await repository.endSessions(account.id)
      else await repository.endSession(caller.sessionId)
      await changes.publish(account.id)
    },

    verifyEmail: (form: VerifyEmail, client: string) => inSteps(verifyEmail(form, client)),
    resetPassword: (form: ResetPassword, client: string) => inSteps(resetPassword(form, client)),

    /** E-mails a code if the account exists; the answer does not reveal whether it does. */
    async sendCode(kind: CodeKind, { email }: EmailOnly, client: string): Promise<MailAnswer> {
      await inSteps(sendCode(kind, email, client))
      return { message: 'If a code can be sent to this address, it is on its way.' }
    },

    getPersonal: async (caller: Caller): Promise<Personal> => toPersonal(await accountOf(caller)),

    async updatePersonal(caller: Caller, form: UpdatePersonal): Promise<Personal> {
      const { id } = await accountOf(caller)
      const account = await repository.updateAccount(id, {
        firstName: form.first_name,
        lastName: form.last_name,
        address: form.address,
        phoneNumber: form.phone_number,
      })
      return toPersonal(account)
    },

    getDelivery: async (caller: Caller): Promise<Delivery> => toDelivery(await accountOf(caller)),

    async updateDelivery(caller: Caller, form: Delivery): Promise<Delivery> {
      const { id } = await accountOf(caller)
      const account = await repository.updateAccount(id, {
        address: form.address,
        phoneNumber: form.phone_number,
      })
      return toDelivery(account)
    },

    /** Where purchases of these accounts go now; unknown accounts are left out. */
    getDeliveries: async (accountIds: string[]) =>
      (await repository.findRecipients(accountIds)).map((account) => ({
        account_id: account.id,
        name: `${account.firstName} ${account.lastName}`,
        ...toDelivery(account),
      })),

    checkSession,

    /** Whose an access token is that is good now. */
    async authenticate(accessToken: string) {
      const caller = tokens.verifyAccess(accessToken)
      const { emailVerified, roles } = await checkSession(caller)
      return { account_id: caller.accountId, email_verified: emailVerified, roles: [...roles] }
    },
  }
}

function refuseCommon(password: string): void {
  if (!isCommonPassword(password)) return
  const rule = 'is one of the most common passwords'
  throw new AppError('invalid', `password: ${rule}`, { fields: [{ field: 'password', rule }] })
}

function sessionEnded(): AppError {
  return new AppError('unauthorized', 'the session has ended')
}

function badCode(): AppError {
  const rule = 'is wrong, used, expired or tried too often'
  return new AppError('unprocessable', `the code ${rule}`, { fields: [{ field: 'code', rule }] })
}

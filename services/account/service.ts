import { randomInt } from 'node:crypto'
import type { Caller } from '../../shared/auth.ts'
import { createBatchedRead } from '../../shared/batched-read.ts'
import { createBatchedWrite } from '../../shared/batched-write.ts'
import type {
  Delivery,
  EmailOnly,
  Login,
  Logout,
  MailAnswer,
  Personal,
  Refresh,
  Register,
  ResetPassword,
  TokenPair,
  UpdatePersonal,
  VerifyEmail,
} from '../../shared/contracts/account.ts'
import type { AttentionNeeded, PurchaseEnded } from '../../shared/contracts/events.ts'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { AppError } from '../../shared/errors.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Relay } from '../../shared/outbox.ts'
import { type Addressee, attentionMail, type CodeKind, codeMail, purchaseMail } from './mails.ts'
import { isCommonPassword, type Passwords } from './passwords.ts'
import type { Account, AccountRepository } from './repository.ts'
import { hashRefreshToken, type Tokens } from './tokens.ts'

type Deps = {
  repository: AccountRepository
  passwords: Passwords
  tokens: Tokens
  /** Told when there is a mail in the outbox. */
  outbox: Pick<Relay, 'nudge'>
  codeTtlSeconds: Record<CodeKind, number>
  refreshGraceSeconds: number
  operatorEmail: string
  logger: Logger
}

export type AccountService = ReturnType<typeof createAccountService>

/** Accounts, and the tokens by which the other services know them. */
export function createAccountService(deps: Deps) {
  const { repository, passwords, tokens, outbox, logger } = deps

  const findOwner = createBatchedRead(repository.findOwners)
  const findAddressee = createBatchedRead(repository.findAddressees)
  const addMail = createBatchedWrite(async (mails: EmailRequested[]) => {
    const added = await repository.addMails(mails)
    return mails.map(({ key }) => added.has(key))
  })

  function pair(accountId: string, sessionId: string, refreshToken: string): TokenPair {
    return {
      access_token: tokens.signAccess(accountId, sessionId),
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: tokens.accessTtlSeconds,
    }
  }

  /** A new code, what is kept of it, and the mail that carries it. */
  async function newCode(kind: CodeKind, addressee: Addressee) {
    const code = String(randomInt(1_000_000)).padStart(6, '0')
    const ttlSeconds = deps.codeTtlSeconds[kind]
    const expiresAt = new Date(Date.now() + ttlSeconds * 1_000)
    // Six digits are soon guessed from a plain hash, so a code is hashed like a password.
    const stored = { kind, codeHash: await passwords.hash(code), expiresAt }
    return { stored, mail: codeMail(kind, addressee, code, ttlSeconds) }
  }

  /** Whom a code belongs to. One answer, in the same time, for every way in which it can be no good. */
  async function checkCode(kind: CodeKind, { email, code }: { email: string; code: string }) {
    const expected = await repository.takeTry(email, kind)
    const right = await passwords.matches(code, expected?.codeHash)
    if (!expected || !right) throw badCode()
    return expected
  }

  /** The account of a caller whose session has not ended. */
  async function accountOf({ accountId, sessionId }: Caller): Promise<Account> {
    const account = await repository.findAccountOfSession(accountId, sessionId)
    if (!account) throw sessionEnded()
    return account
  }

  return {
    async register(form: Register): Promise<TokenPair> {
      refuseCommon(form.password)
      const account = {
        email: form.email,
        passwordHash: await passwords.hash(form.password),
        firstName: form.first_name,
        lastName: form.last_name,
        address: form.address,
        phoneNumber: form.phone_number,
      }
      const session = tokens.newSession()
      const code = await newCode('verify', account)
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
      return pair(accountId, session.stored.id, session.token)
    },

    async login({ email, password }: Login): Promise<TokenPair> {
      const account = await repository.findAccountByEmail(email)
      const known = await passwords.matches(password, account?.passwordHash)
      if (!account || !known) {
        throw new AppError('unauthorized', 'the email address or the password is wrong')
      }
      const session = tokens.newSession()
      await repository.addSession(account.id, session.stored)
      return pair(account.id, session.stored.id, session.token)
    },

    async refresh({ refresh_token }: Refresh): Promise<TokenPair> {
      const next = tokens.newRefresh()
      const rotation = await repository.rotateRefreshToken(
        hashRefreshToken(refresh_token),
        next.stored,
        deps.refreshGraceSeconds,
      )
      if (rotation.outcome === 'rotated') {
        return pair(rotation.accountId, rotation.sessionId, next.token)
      }
      if (rotation.outcome === 'reused') {
        const { accountId, sessionId } = rotation
        logger.warn({ accountId, sessionId }, 'a used refresh token came again: session ended')
      }
      throw new AppError('unauthorized', 'the refresh token is used, expired or not known')
    },

    async logout(caller: Caller, { everywhere }: Logout): Promise<void> {
      const account = await accountOf(caller)
      if (everywhere) await repository.endSessions(account.id)
      else await repository.endSession(caller.sessionId)
    },

    async verifyEmail(form: VerifyEmail): Promise<void> {
      const { accountId, codeHash } = await checkCode('verify', form)
      if (!(await repository.verifyEmail(accountId, codeHash))) throw badCode()
    },

    /** Mails a code if there is anybody to mail it to; who asks is not told. */
    async sendCode(kind: CodeKind, { email }: EmailOnly): Promise<MailAnswer> {
      const account = await repository.findAccountByEmail(email)
      // Made for nobody too: hashing is what takes the time.
      const code = await newCode(kind, account ?? { email, firstName: '' })
      if (account && (await repository.addCode(account.id, code.stored, code.mail))) outbox.nudge()
      return { message: 'If a code can be sent to this address, it is on its way.' }
    },

    async resetPassword({ password, ...form }: ResetPassword): Promise<void> {
      refuseCommon(password)
      const { accountId, codeHash } = await checkCode('reset', form)
      const passwordHash = await passwords.hash(password)
      if (!(await repository.resetPassword(accountId, codeHash, passwordHash))) throw badCode()
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

    /** Whose an access token is that is good now. */
    async authenticate(accessToken: string) {
      const { accountId, sessionId } = tokens.verifyAccess(accessToken)
      const owner = await findOwner(sessionId)
      if (owner?.accountId !== accountId) throw sessionEnded()
      return { account_id: accountId, email_verified: owner.emailVerified }
    },

    /** Tells the customer how a purchase ended: once, however often that is announced. */
    async mailPurchaseEnded(ended: PurchaseEnded): Promise<void> {
      // Nobody is known to have made a purchase that could not be read.
      if (ended.customer_id === null) return
      const customer = await findAddressee(ended.customer_id)
      const mail = customer && purchaseMail(ended, customer)
      if (mail && (await addMail(mail))) outbox.nudge()
    },

    /** Tells the operator of a purchase that cannot go on by itself: once. */
    async mailAttention(needed: AttentionNeeded): Promise<void> {
      if (await addMail(attentionMail(needed, deps.operatorEmail))) outbox.nudge()
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

function toDelivery({ address, phoneNumber }: Account): Delivery {
  return { address, phone_number: phoneNumber }
}

function toPersonal(account: Account): Personal {
  return {
    id: account.id,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    first_name: account.firstName,
    last_name: account.lastName,
    ...toDelivery(account),
  }
}

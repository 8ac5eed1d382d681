import type { Notices } from '../../shared/cache/notices.ts'
import type { Login } from '../../shared/contracts/account.ts'
import type { AccountExport, DeletionRequested } from '../../shared/contracts/personal-data.ts'
import { apiPrefix } from '../../shared/contracts/route.ts'
import type { GrpcClient } from '../../shared/grpc/client.ts'
import type { Caller } from '../../shared/http/auth.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Logger } from '../../shared/runtime/logger.ts'
import type { Leaving } from './deletion-repository.ts'
import { toPersonal } from './mapping.ts'
import type { Passwords } from './passwords.ts'
import type { Account, AccountRepository } from './repository.ts'
import { withdrawAll } from './roles.ts'

type Deps = {
  repository: Pick<
    AccountRepository,
    'findAccountOfSession' | 'listSessions' | 'requestDeletion' | 'listLeaving' | 'deleteAccount'
  >
  passwords: Pick<Passwords, 'matches'>
  products: Pick<GrpcClient<'product'>, 'WithdrawProducts'>
  purchases: Pick<GrpcClient<'purchase'>, 'ForgetCustomer'>
  changes: Pick<Notices, 'publish'>
  /** Longer than a request takes that began before the sessions of an account ended. */
  delaySeconds: number
  logger: Logger
}

const batch = 20

export type PersonalData = ReturnType<typeof createPersonalData>

/** What a person may ask of the shop about themselves: a copy, and to be forgotten. */
export function createPersonalData(deps: Deps) {
  const { repository, products, purchases, logger } = deps
  let last: Leaving | undefined

  async function accountOf({ accountId, sessionId }: Caller): Promise<Account> {
    const account = await repository.findAccountOfSession(accountId, sessionId)
    if (!account) throw new AppError('unauthorized', 'the session has ended')
    return account
  }

  /** Whether the account is gone: not while something is unfinished that it bought or sells. */
  async function removePerson(id: string): Promise<boolean> {
    await withdrawAll(products, id)
    let answer = await purchases.ForgetCustomer({ customer_id: id })
    while (answer.more && answer.unfinished === 0) {
      answer = await purchases.ForgetCustomer({ customer_id: id })
    }
    if (answer.unfinished > 0) return false
    await repository.deleteAccount(id)
    return true
  }

  return {
    async export(caller: Caller): Promise<AccountExport> {
      const account = await accountOf(caller)
      const sessions = await repository.listSessions(account.id)
      return {
        account: { ...toPersonal(account), created_at: account.createdAt.toISOString() },
        sessions: sessions.map(({ id, createdAt, expiresAt, endedAt }) => ({
          id,
          created_at: createdAt.toISOString(),
          expires_at: expiresAt.toISOString(),
          ended_at: endedAt?.toISOString() ?? null,
        })),
        links: {
          purchases: `${apiPrefix}/purchases`,
          orders: `${apiPrefix}/orders`,
          payments: `${apiPrefix}/payments`,
          products: `${apiPrefix}/products/own`,
          sales: `${apiPrefix}/sales`,
        },
      }
    },

    /** Ends every session and lets nobody log in any more; `removeLeaving` does the rest. */
    async requestDeletion(
      caller: Caller,
      { email, password }: Login,
      client: string,
    ): Promise<DeletionRequested> {
      const account = await accountOf(caller)
      const match = await deps.passwords.matches(password, account.passwordHash, client)
      if (account.email !== email || !match.equal) {
        throw new AppError('unauthorized', 'the email address or the password is wrong')
      }
      const requestedAt = (await repository.requestDeletion(account.id)) ?? new Date()
      await deps.changes.publish(account.id)
      const deletedAfter = new Date(requestedAt.getTime() + deps.delaySeconds * 1_000)
      return {
        message: 'The account is deleted as soon as its purchases have ended.',
        deleted_after: deletedAfter.toISOString(),
      }
    },

    /**
     * Removes the person of accounts that asked for it. Every part may be repeated, so what stops half way is done
     * again by the next run. Each run goes on where the last one stopped: accounts that have to wait hide no others.
     */
    async removeLeaving(): Promise<void> {
      const leaving = await repository.listLeaving(deps.delaySeconds, batch, last)
      last = leaving.length === batch ? leaving.at(-1) : undefined
      for (const { id } of leaving) {
        const gone = await removePerson(id)
        logger.info({ account_id: id, gone }, 'deletion of an account')
      }
    },
  }
}

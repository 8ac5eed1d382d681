import { type Account, Prisma, PrismaClient } from '../../prisma/account/client/client.ts'
import { newId } from '../../shared/ids.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'
import type { StoredRefreshToken } from './tokens.ts'

export type { Account }
export type NewAccount = Pick<
  Account,
  'email' | 'passwordHash' | 'firstName' | 'lastName' | 'address' | 'phoneNumber'
>
export type AccountRepository = Awaited<ReturnType<typeof connectRepository>>

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** The id of the new account; undefined when its email address is taken. */
    async createAccount(
      account: NewAccount,
      token: StoredRefreshToken,
    ): Promise<string | undefined> {
      try {
        const { id } = await prisma.account.create({
          data: { ...account, refreshTokens: { create: token } },
          select: { id: true },
        })
        return id
      } catch (error) {
        if (isUniqueViolation(error)) return undefined
        throw error
      }
    },

    findAccount: (id: string): Promise<Account | null> =>
      prisma.account.findUnique({ where: { id } }),

    findAccountByEmail: (email: string): Promise<Account | null> =>
      prisma.account.findUnique({ where: { email } }),

    async addRefreshToken(accountId: string, token: StoredRefreshToken): Promise<void> {
      await prisma.refreshToken.create({ data: { accountId, ...token } })
    },

    /**
     * Exchanges a refresh token that is good for the next one, in one statement: of two that come at once, one
     * finds it used. The account of the token, or undefined.
     */
    async rotateRefreshToken(
      tokenHash: string,
      next: StoredRefreshToken,
    ): Promise<string | undefined> {
      const rows = await prisma.$queryRaw<{ accountId: string }[]>`
        WITH used AS (
          UPDATE refresh_tokens SET rotated_at = now()
          WHERE token_hash = ${tokenHash} AND rotated_at IS NULL AND expires_at > now()
          RETURNING account_id
        )
        INSERT INTO refresh_tokens (id, account_id, token_hash, expires_at)
        SELECT ${newId()}::uuid, account_id, ${next.tokenHash}, ${next.expiresAt} FROM used
        RETURNING account_id AS "accountId"`
      return rows[0]?.accountId
    },

    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002'
}

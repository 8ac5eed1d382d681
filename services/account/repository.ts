import { type Account, PrismaClient } from '../../prisma/account/client/client.ts'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import type { DatabaseConfig } from '../../shared/database/config.ts'
import { connectDatabase, isDatabaseReachable } from '../../shared/database/prisma.ts'
import type { Sql } from '../../shared/database/sql.ts'
import { purgeSent } from '../../shared/messaging/outbox.ts'
import { createCodeStatements, type NewCode } from './code-repository.ts'
import { createDeletionStatements } from './deletion-repository.ts'
import { addMails } from './mail-repository.ts'
import type { Addressee } from './mails.ts'
import { createRoleStatements } from './role-repository.ts'
import { createSessionStatements, sessionData } from './session-repository.ts'
import type { NewSession } from './tokens.ts'

export type { Account }
export type NewAccount = Pick<
  Account,
  'email' | 'passwordHash' | 'firstName' | 'lastName' | 'address' | 'phoneNumber' | 'roles'
>
/** Who receives a delivery, and where. */
type Recipient = Pick<Account, 'id' | 'firstName' | 'lastName' | 'address' | 'phoneNumber'>
export type AccountRepository = Awaited<ReturnType<typeof connectRepository>>

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    ...createSessionStatements(prisma),
    ...createCodeStatements(prisma),
    ...createRoleStatements(prisma),
    ...createDeletionStatements(prisma),

    /** The id of the new account; undefined when its email address is taken. */
    createAccount: (
      account: NewAccount,
      session: NewSession,
      code: NewCode,
      mail: EmailRequested,
    ): Promise<string | undefined> =>
      prisma.$transaction(async (tx) => {
        // A violation of the unique index would be in the log of the database, with the address.
        const [created] = await tx.account.createManyAndReturn({
          data: [account],
          skipDuplicates: true,
          select: { id: true },
        })
        if (!created) return undefined
        const accountId = created.id
        await tx.session.create({ data: { accountId, ...sessionData(session) } })
        await tx.mailedCode.create({ data: { accountId, ...code } })
        await addMails(tx, [mail])
        return accountId
      }),

    /** Whom mails go to, by account id. */
    async findAddressees(ids: string[]): Promise<Map<string, Addressee>> {
      const rows = await prisma.$queryRaw<(Addressee & { id: string })[]>`
        SELECT id, email, first_name AS "firstName" FROM accounts WHERE id = ANY(${ids}::uuid[])`
      return new Map(rows.map(({ id, ...addressee }) => [id, addressee]))
    },

    findRecipients: (ids: string[]): Promise<Recipient[]> =>
      prisma.account.findMany({
        where: { id: { in: ids } },
        select: { id: true, firstName: true, lastName: true, address: true, phoneNumber: true },
      }),

    /** Nobody finds an account that is to be deleted. */
    findAccountByEmail: (email: string): Promise<Account | null> =>
      prisma.account.findUnique({ where: { email, deletionRequestedAt: null } }),

    /** The account of a session that has not ended. */
    findAccountOfSession(accountId: string, sessionId: string): Promise<Account | null> {
      const live = { id: sessionId, endedAt: null, expiresAt: { gt: new Date() } }
      return prisma.account.findFirst({ where: { id: accountId, sessions: { some: live } } })
    },

    /** Replaces a hash, unless it was replaced since it was read. */
    async replaceHash(id: string, read: string, passwordHash: string): Promise<void> {
      await prisma.account.updateMany({
        where: { id, passwordHash: read },
        data: { passwordHash },
      })
    },

    updateAccount: (id: string, data: Partial<NewAccount>): Promise<Account> =>
      prisma.account.update({ where: { id }, data }),

    /** Stores e-mails; returns the keys of the new ones. */
    addMails: (mails: EmailRequested[]): Promise<Set<string>> => addMails(prisma, mails),

    purgeMails: (olderThanSeconds: number, limit: number): PromiseLike<number> =>
      purgeSent(prisma, olderThanSeconds, limit),

    inTransaction: <T>(work: (tx: Sql) => Promise<T>): Promise<T> => prisma.$transaction(work),
    isReachable: () => isDatabaseReachable(prisma),
    close: () => prisma.$disconnect(),
  }
}

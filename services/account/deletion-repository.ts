import type { PrismaClient } from '../../prisma/account/client/client.ts'
import { endSessions } from './session-repository.ts'

/** An account that is to be deleted. */
export type Leaving = { id: string; requestedAt: Date }

type StoredSession = { id: string; createdAt: Date; expiresAt: Date; endedAt: Date | null }

/** Of one export. */
const maxSessions = 1_000

export function createDeletionStatements(prisma: PrismaClient) {
  return {
    listSessions: (accountId: string): Promise<StoredSession[]> =>
      prisma.session.findMany({
        where: { accountId },
        select: { id: true, createdAt: true, expiresAt: true, endedAt: true },
        orderBy: { id: 'desc' },
        take: maxSessions,
      }),

    /** Notes that an account is to be deleted, and ends its sessions. When that was: a repeat keeps the first time. */
    requestDeletion: (id: string): Promise<Date | undefined> =>
      prisma.$transaction(async (tx) => {
        const [row] = await tx.$queryRaw<{ at: Date }[]>`
          UPDATE accounts SET deletion_requested_at = COALESCE(deletion_requested_at, now())
          WHERE id = ${id}::uuid RETURNING deletion_requested_at AS at`
        await endSessions(tx, id)
        return row?.at
      }),

    /** Accounts that asked for it this long ago, after the account `after`, those first that asked first. */
    listLeaving(delaySeconds: number, limit: number, after?: Leaving): PromiseLike<Leaving[]> {
      const { id, requestedAt } = after ?? { id: null, requestedAt: null }
      return prisma.$queryRaw<Leaving[]>`
        SELECT id, deletion_requested_at AS "requestedAt" FROM accounts
        WHERE deletion_requested_at <= now() - make_interval(secs => ${delaySeconds})
          AND (${id}::uuid IS NULL OR (deletion_requested_at, id) > (${requestedAt}::timestamptz, ${id}::uuid))
        ORDER BY deletion_requested_at, id LIMIT ${limit}`
    },

    /** Deletes an account that asked for it, with its sessions, codes and changes of roles. */
    async deleteAccount(id: string): Promise<void> {
      await prisma.account.deleteMany({ where: { id, deletionRequestedAt: { not: null } } })
    },
  }
}

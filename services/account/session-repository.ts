import type { Prisma, PrismaClient } from '../../prisma/account/client/client.ts'
import type { NewSession, StoredRefreshToken } from './tokens.ts'

/** Whose a session is, as far as other services may know. */
export type SessionOwner = { accountId: string; emailVerified: boolean; roles: string[] }
/** What came of the use of a refresh token; `reused` ended its session. */
export type Rotation =
  | { outcome: 'rotated'; accountId: string; sessionId: string; roles: string[] }
  | { outcome: 'reused'; accountId: string; sessionId: string }
  | { outcome: 'unknown' }

type UsedToken = {
  id: string
  sessionId: string
  accountId: string
  roles: string[]
  alive: boolean
  fresh: boolean
  rotated: boolean
  justRotated: boolean | null
}

/** Sessions and their refresh tokens. */
export function createSessionStatements(prisma: PrismaClient) {
  return {
    /** Whose the sessions are that have not ended, by session id. */
    async findOwners(sessionIds: string[]): Promise<Map<string, SessionOwner>> {
      const rows = await prisma.$queryRaw<(SessionOwner & { id: string })[]>`
        SELECT s.id, a.id AS "accountId", a.email_verified_at IS NOT NULL AS "emailVerified",
          a.roles
        FROM sessions s JOIN accounts a ON a.id = s.account_id
        WHERE s.id = ANY(${sessionIds}::uuid[]) AND s.ended_at IS NULL AND s.expires_at > now()`
      return new Map(rows.map(({ id, ...owner }) => [id, owner]))
    },

    async addSession(accountId: string, session: NewSession): Promise<void> {
      await prisma.session.create({ data: { accountId, ...sessionData(session) } })
    },

    async endSession(id: string): Promise<void> {
      await prisma.session.updateMany({
        where: { id, endedAt: null },
        data: { endedAt: new Date() },
      })
    },

    endSessions: (accountId: string): Promise<void> => endSessions(prisma, accountId),

    /**
     * Exchanges a refresh token for the next one of its session. The first use of a token ends every other unused one
     * of the session, so of tokens that one token was exchanged for within `graceSeconds`, only one has a successor.
     * A token that comes again ends the session, unless that was within the grace and nobody has used what it was
     * exchanged for: then two honest requests met, or an answer was lost. The lock on the session lets its requests
     * in one by one.
     */
    rotateRefreshToken: (
      tokenHash: string,
      next: StoredRefreshToken,
      graceSeconds: number,
    ): Promise<Rotation> =>
      prisma.$transaction(async (tx) => {
        await tx.$queryRaw`
          SELECT FROM sessions
          WHERE id = (SELECT session_id FROM refresh_tokens WHERE token_hash = ${tokenHash})
          FOR UPDATE`
        const [used] = await tx.$queryRaw<UsedToken[]>`
          SELECT t.id, t.session_id AS "sessionId", s.account_id AS "accountId", a.roles,
            s.ended_at IS NULL AND s.expires_at > now() AS alive, t.expires_at > now() AS fresh,
            t.rotated_at IS NOT NULL AS rotated,
            t.rotated_at > now() - make_interval(secs => ${graceSeconds}) AS "justRotated"
          FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
            JOIN accounts a ON a.id = s.account_id
          WHERE t.token_hash = ${tokenHash}`
        if (!used?.alive) return { outcome: 'unknown' }
        const { id, sessionId, accountId, roles } = used
        if (used.rotated) {
          const children = await tx.refreshToken.findMany({
            where: { parentId: id },
            select: { rotatedAt: true },
          })
          const graced = graceSeconds > 0 && used.justRotated
          // Ended by the use of a sibling just now, and never exchanged itself.
          if (graced && children.length === 0) return { outcome: 'unknown' }
          if (!graced || children.some(({ rotatedAt }) => rotatedAt !== null)) {
            await tx.session.update({ where: { id: sessionId }, data: { endedAt: new Date() } })
            return { outcome: 'reused', accountId, sessionId }
          }
        }
        if (!used.fresh) return { outcome: 'unknown' }
        if (!used.rotated) {
          await tx.$executeRaw`
            UPDATE refresh_tokens SET rotated_at = now()
            WHERE session_id = ${sessionId}::uuid AND rotated_at IS NULL`
        }
        await tx.refreshToken.create({ data: { sessionId, parentId: id, ...next } })
        return { outcome: 'rotated', accountId, sessionId, roles }
      }),

    /**
     * Sessions that ended or expired this long ago, with their refresh tokens; a live session keeps all of them, since
     * reuse of one is a sign of theft. Returns the number of removed sessions, at most `limit`. The order is that of
     * the index: without it, PostgreSQL reads the table until it has found so many.
     */
    removeSessions: (olderThanSeconds: number, limit: number): Promise<number> =>
      prisma.$executeRaw`
        DELETE FROM sessions WHERE id IN (
          SELECT id FROM sessions
          WHERE least(expires_at, ended_at) < now() - make_interval(secs => ${olderThanSeconds})
          ORDER BY least(expires_at, ended_at) LIMIT ${limit} FOR UPDATE SKIP LOCKED)`,
  }
}

/** A session and its first token, to be created. */
export function sessionData({ id, clientHash, expiresAt, refresh }: NewSession) {
  return { id, clientHash, expiresAt, refreshTokens: { create: refresh } }
}

/** Ends every session of an account. */
export async function endSessions(tx: Prisma.TransactionClient, accountId: string): Promise<void> {
  await tx.session.updateMany({
    where: { accountId, endedAt: null },
    data: { endedAt: new Date() },
  })
}

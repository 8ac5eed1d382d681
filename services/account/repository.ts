import { type Account, Prisma, PrismaClient } from '../../prisma/account/client/client.ts'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import type { Sql } from '../../shared/inbox.ts'
import { addToOutbox, forgetSent } from '../../shared/outbox.ts'
import { connectDatabase, type DatabaseConfig, databaseAnswers } from '../../shared/prisma.ts'
import type { Addressee, CodeKind } from './mails.ts'
import type { NewSession, StoredRefreshToken } from './tokens.ts'

export type { Account }
export type NewAccount = Pick<
  Account,
  'email' | 'passwordHash' | 'firstName' | 'lastName' | 'address' | 'phoneNumber'
>
export type NewCode = { kind: CodeKind; codeHash: string; expiresAt: Date }
/** Whose a session is, as far as other services may know. */
export type SessionOwner = { accountId: string; emailVerified: boolean }
/** What came of the use of a refresh token; `reused` ended its session. */
export type Rotation =
  | { outcome: 'rotated' | 'reused'; accountId: string; sessionId: string }
  | { outcome: 'unknown' }
export type AccountRepository = Awaited<ReturnType<typeof connectRepository>>

/** Wrong guesses that a code bears. With the limit on codes an attacker has 25 guesses an hour at a million. */
const maxTries = 5
const maxCodesPerHour = 5

export async function connectRepository(config: DatabaseConfig) {
  const prisma = await connectDatabase(PrismaClient, config)

  return {
    /** The id of the new account; undefined when its email address is taken. */
    async createAccount(
      account: NewAccount,
      session: NewSession,
      code: NewCode,
      mail: EmailRequested,
    ): Promise<string | undefined> {
      try {
        return await prisma.$transaction(async (tx) => {
          const { id } = await tx.account.create({
            data: {
              ...account,
              sessions: { create: sessionData(session) },
              emailCodes: { create: code },
            },
            select: { id: true },
          })
          await addMails(tx, [mail])
          return id
        })
      } catch (error) {
        if (isUniqueViolation(error)) return undefined
        throw error
      }
    },

    /** Whom mails go to, by account id. */
    async findAddressees(ids: string[]): Promise<Map<string, Addressee>> {
      const rows = await prisma.$queryRaw<(Addressee & { id: string })[]>`
        SELECT id, email, first_name AS "firstName" FROM accounts WHERE id = ANY(${ids}::uuid[])`
      return new Map(rows.map(({ id, ...addressee }) => [id, addressee]))
    },

    /** Whose the sessions are that have not ended, by session id. */
    async findOwners(sessionIds: string[]): Promise<Map<string, SessionOwner>> {
      const rows = await prisma.$queryRaw<(SessionOwner & { id: string })[]>`
        SELECT s.id, a.id AS "accountId", a.email_verified_at IS NOT NULL AS "emailVerified"
        FROM sessions s JOIN accounts a ON a.id = s.account_id
        WHERE s.id = ANY(${sessionIds}::uuid[]) AND s.ended_at IS NULL AND s.expires_at > now()`
      return new Map(rows.map(({ id, ...owner }) => [id, owner]))
    },

    findAccountByEmail: (email: string): Promise<Account | null> =>
      prisma.account.findUnique({ where: { email } }),

    /** The account of a session that has not ended. */
    findAccountOfSession(accountId: string, sessionId: string): Promise<Account | null> {
      const live = { id: sessionId, endedAt: null, expiresAt: { gt: new Date() } }
      return prisma.account.findFirst({ where: { id: accountId, sessions: { some: live } } })
    },

    updateAccount: (id: string, data: Partial<NewAccount>): Promise<Account> =>
      prisma.account.update({ where: { id }, data }),

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
     * Exchanges a refresh token for the next one of its session. One that was exchanged before ends the session,
     * unless that was within `graceSeconds` and nobody has used what it was exchanged for: then two honest requests
     * met, or an answer was lost. The lock on the session lets its requests in one by one.
     */
    rotateRefreshToken: (
      tokenHash: string,
      next: StoredRefreshToken,
      graceSeconds: number,
    ): Promise<Rotation> =>
      prisma.$transaction(async (tx) => {
        const [used] = await tx.$queryRaw<UsedToken[]>`
          SELECT t.id, t.session_id AS "sessionId", s.account_id AS "accountId",
            s.ended_at IS NULL AND s.expires_at > now() AS alive, t.expires_at > now() AS fresh,
            t.rotated_at IS NOT NULL AS rotated,
            t.rotated_at > now() - make_interval(secs => ${graceSeconds}) AS "justRotated"
          FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
          WHERE t.token_hash = ${tokenHash} FOR UPDATE`
        if (!used?.alive) return { outcome: 'unknown' }
        const { id, sessionId, accountId } = used
        if (used.rotated) {
          const child = { parentId: id, rotatedAt: { not: null } }
          const graced =
            graceSeconds > 0 &&
            used.justRotated &&
            (await tx.refreshToken.count({ where: child })) === 0
          if (!graced) {
            await tx.session.update({ where: { id: sessionId }, data: { endedAt: new Date() } })
            return { outcome: 'reused', accountId, sessionId }
          }
        }
        if (!used.fresh) return { outcome: 'unknown' }
        await tx.$executeRaw`
          UPDATE refresh_tokens SET rotated_at = now()
          WHERE id = ${id}::uuid AND rotated_at IS NULL`
        await tx.refreshToken.create({ data: { sessionId, parentId: id, ...next } })
        return { outcome: 'rotated', accountId, sessionId }
      }),

    /**
     * Stores a code and the mail that carries it. False, and no mail, when there were too many within the hour or
     * the address is verified already.
     */
    addCode: (accountId: string, code: NewCode, mail: EmailRequested): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        const added = await tx.$executeRaw`
          INSERT INTO email_codes AS c (account_id, kind, code_hash, expires_at)
          SELECT id, ${code.kind}, ${code.codeHash}, ${code.expiresAt} FROM accounts
          WHERE id = ${accountId}::uuid
            AND (${code.kind} <> 'verify' OR email_verified_at IS NULL)
          ON CONFLICT (account_id, kind) DO UPDATE SET
            code_hash = excluded.code_hash, expires_at = excluded.expires_at, tries = 0,
            sent = CASE WHEN c.counted_since < now() - interval '1 hour' THEN 1 ELSE c.sent + 1 END,
            counted_since = CASE WHEN c.counted_since < now() - interval '1 hour'
              THEN now() ELSE c.counted_since END
          WHERE c.sent < ${maxCodesPerHour} OR c.counted_since < now() - interval '1 hour'`
        if (added === 0) return false
        return (await addMails(tx, [mail])).has(mail.key)
      }),

    /** Takes one try at a code, before it is known whether it is right; undefined when there is none to be had. */
    async takeTry(
      email: string,
      kind: CodeKind,
    ): Promise<{ accountId: string; codeHash: string } | undefined> {
      const rows = await prisma.$queryRaw<{ accountId: string; codeHash: string }[]>`
        UPDATE email_codes c SET tries = c.tries + 1 FROM accounts a
        WHERE a.id = c.account_id AND a.email = ${email} AND c.kind = ${kind}
          AND c.code_hash IS NOT NULL AND c.tries < ${maxTries} AND c.expires_at > now()
        RETURNING c.account_id AS "accountId", c.code_hash AS "codeHash"`
      return rows[0]
    },

    /** False when the code was used, or replaced, since its try was taken. */
    verifyEmail: (accountId: string, codeHash: string): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        if (!(await spendCode(tx, accountId, 'verify', codeHash))) return false
        await markVerified(tx, accountId)
        return true
      }),

    /** The same; ends all sessions. Who has the code has the mailbox, so the address is verified too. */
    resetPassword: (accountId: string, codeHash: string, passwordHash: string): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        if (!(await spendCode(tx, accountId, 'reset', codeHash))) return false
        await tx.account.update({ where: { id: accountId }, data: { passwordHash } })
        await markVerified(tx, accountId)
        await endSessions(tx, accountId)
        return true
      }),

    /** Stores mails; the keys of those that were not asked for before. */
    addMails: (mails: EmailRequested[]): Promise<Set<string>> => addMails(prisma, mails),

    /**
     * Sessions that ended or expired this long ago, with their refresh tokens; a session that lives keeps all of
     * them, since one that comes again tells of theft. The number of those removed, at most `limit`.
     */
    removeSessions: (olderThanSeconds: number, limit: number): Promise<number> =>
      prisma.$executeRaw`
        DELETE FROM sessions WHERE id IN (
          SELECT id FROM sessions
          WHERE least(expires_at, ended_at) < now() - make_interval(secs => ${olderThanSeconds})
          LIMIT ${limit} FOR UPDATE SKIP LOCKED)`,

    /** Codes that expired this long ago; one that still counts against the limit of an hour stays. */
    removeCodes: (olderThanSeconds: number, limit: number): Promise<number> =>
      prisma.$executeRaw`
        DELETE FROM email_codes WHERE (account_id, kind) IN (
          SELECT account_id, kind FROM email_codes
          WHERE expires_at < now() - make_interval(secs => ${olderThanSeconds})
            AND counted_since < now() - interval '1 hour'
          LIMIT ${limit} FOR UPDATE SKIP LOCKED)`,

    forgetMails: (olderThanSeconds: number, limit: number): PromiseLike<number> =>
      forgetSent(prisma, olderThanSeconds, limit),

    inTransaction: <T>(work: (tx: Sql) => Promise<T>): Promise<T> => prisma.$transaction(work),
    answers: () => databaseAnswers(prisma),
    close: () => prisma.$disconnect(),
  }
}

type UsedToken = {
  id: string
  sessionId: string
  accountId: string
  alive: boolean
  fresh: boolean
  rotated: boolean
  justRotated: boolean | null
}

function addMails(tx: Sql, mails: EmailRequested[]): Promise<Set<string>> {
  const entries = mails.map((mail) => ({ key: mail.key, body: mail }))
  return addToOutbox(tx, 'emailRequested', entries)
}

function sessionData({ id, expiresAt, refresh }: NewSession) {
  return { id, expiresAt, refreshTokens: { create: refresh } }
}

async function spendCode(tx: Sql, accountId: string, kind: CodeKind, codeHash: string) {
  const spent = await tx.$executeRaw`
    UPDATE email_codes SET code_hash = NULL
    WHERE account_id = ${accountId}::uuid AND kind = ${kind} AND code_hash = ${codeHash}`
  return spent === 1
}

async function markVerified(tx: Prisma.TransactionClient, accountId: string): Promise<void> {
  await tx.account.updateMany({
    where: { id: accountId, emailVerifiedAt: null },
    data: { emailVerifiedAt: new Date() },
  })
}

async function endSessions(tx: Prisma.TransactionClient, accountId: string): Promise<void> {
  await tx.session.updateMany({
    where: { accountId, endedAt: null },
    data: { endedAt: new Date() },
  })
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002'
}

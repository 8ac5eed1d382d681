import type { Prisma, PrismaClient } from '../../prisma/account/client/client.ts'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { addMails } from './mail-repository.ts'
import type { CodeKind } from './mails.ts'
import { endSessions } from './session-repository.ts'

/** A code as it is stored. `askedBy` is the hash of the client that asked for it. */
export type NewCode = { kind: CodeKind; codeHash: string; expiresAt: Date; askedBy: string }
export type Guess = { email: string; kind: CodeKind; codeHash: string; guessedBy: string }

/**
 * Wrong guesses that a code allows from the client that asked for it, and from all others together. So nobody else can
 * use up the guesses of the owner, and an attacker with many addresses has 10 guesses at a code, of a million.
 */
const maxGuesses = 5
/** Codes that an account is mailed at the request of one client, and of all that it has never logged in from. */
const maxMailsPerClient = 5
const maxMailsOfStrangers = 10

/** Codes that are sent by e-mail, and their purpose. */
export function createCodeStatements(prisma: PrismaClient) {
  return {
    /**
     * Stores a code in the place of the one that the same client asked for before, and the mail that carries it. False,
     * and no mail, when there were too many within the hour or the address is verified already.
     */
    addCode: (accountId: string, code: NewCode, mail: EmailRequested): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        // One after the other, so that the count of the hour is true.
        await tx.$queryRaw`SELECT FROM accounts WHERE id = ${accountId}::uuid FOR UPDATE`
        const added = await tx.$executeRaw`
          INSERT INTO mailed_codes AS c (account_id, kind, code_hash, expires_at, asked_by)
          SELECT id, ${code.kind}, ${code.codeHash}, ${code.expiresAt}, ${code.askedBy} FROM accounts
          WHERE id = ${accountId}::uuid
            AND (${code.kind} <> 'verify' OR email_verified_at IS NULL)
            AND (
              EXISTS (SELECT FROM sessions
                WHERE account_id = ${accountId}::uuid AND client_hash = ${code.askedBy})
              OR (SELECT coalesce(sum(sent), 0) FROM mailed_codes
                WHERE account_id = ${accountId}::uuid AND kind = ${code.kind}
                  AND counted_since > now() - interval '1 hour') < ${maxMailsOfStrangers})
          ON CONFLICT (account_id, kind, asked_by) DO UPDATE SET
            code_hash = excluded.code_hash, expires_at = excluded.expires_at,
            own_guesses = 0, other_guesses = 0,
            sent = CASE WHEN c.counted_since < now() - interval '1 hour' THEN 1 ELSE c.sent + 1 END,
            counted_since = CASE WHEN c.counted_since < now() - interval '1 hour'
              THEN now() ELSE c.counted_since END
          WHERE c.sent < ${maxMailsPerClient} OR c.counted_since < now() - interval '1 hour'`
        if (added === 0) return false
        return (await addMails(tx, [mail])).has(mail.key)
      }),

    /**
     * Counts a guess against every code that it may be, before it is known whether it is right. The account when it is;
     * undefined for a wrong guess, and when there is no code to be had.
     */
    async guess({ email, kind, codeHash, guessedBy }: Guess): Promise<string | undefined> {
      const rows = await prisma.$queryRaw<{ accountId: string; right: boolean }[]>`
        WITH live AS (
          SELECT c.account_id, c.kind, c.asked_by
          FROM mailed_codes c JOIN accounts a ON a.id = c.account_id
          WHERE a.email = ${email} AND c.kind = ${kind}
            AND c.code_hash IS NOT NULL AND c.expires_at > now()
            AND CASE WHEN c.asked_by = ${guessedBy} THEN c.own_guesses ELSE c.other_guesses END
              < ${maxGuesses}
          ORDER BY c.asked_by FOR UPDATE OF c)
        UPDATE mailed_codes c SET
          own_guesses = c.own_guesses + (c.asked_by = ${guessedBy})::int,
          other_guesses = c.other_guesses + (c.asked_by <> ${guessedBy})::int
        FROM live l
        WHERE c.account_id = l.account_id AND c.kind = l.kind AND c.asked_by = l.asked_by
        RETURNING c.account_id AS "accountId", c.code_hash = ${codeHash} AS right`
      return rows.find(({ right }) => right)?.accountId
    },

    /** False when the code was used, or replaced, since it was guessed. */
    verifyEmail: (accountId: string, codeHash: string): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        if (!(await spendCodes(tx, accountId, 'verify', codeHash))) return false
        await markVerified(tx, accountId)
        return true
      }),

    /** The same; ends all sessions. The code proves access to the mailbox, so the address is verified too. */
    resetPassword: (accountId: string, codeHash: string, passwordHash: string): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        if (!(await spendCodes(tx, accountId, 'reset', codeHash))) return false
        await tx.account.update({ where: { id: accountId }, data: { passwordHash } })
        await markVerified(tx, accountId)
        await endSessions(tx, accountId)
        return true
      }),

    /** Codes that expired this long ago; one that still counts against the limit of an hour stays. */
    async removeCodes(olderThanSeconds: number, limit: number): Promise<number> {
      const removed = await prisma.$executeRaw`
        DELETE FROM mailed_codes WHERE (account_id, kind, asked_by) IN (
          SELECT account_id, kind, asked_by FROM mailed_codes
          WHERE expires_at < now() - make_interval(secs => ${olderThanSeconds})
            AND counted_since < now() - interval '1 hour'
          ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
      const removedOfOld = await prisma.$executeRaw`
        DELETE FROM email_codes WHERE (account_id, kind) IN (
          SELECT account_id, kind FROM email_codes
          WHERE expires_at < now() - make_interval(secs => ${olderThanSeconds})
          ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED)`
      return removed + removedOfOld
    },
  }
}

/** Ends every code of the kind, if the given one is among those that were not used. */
async function spendCodes(
  tx: Prisma.TransactionClient,
  accountId: string,
  kind: CodeKind,
  codeHash: string,
): Promise<boolean> {
  const unused = await tx.$queryRaw<{ codeHash: string }[]>`
    SELECT code_hash AS "codeHash" FROM mailed_codes
    WHERE account_id = ${accountId}::uuid AND kind = ${kind} AND code_hash IS NOT NULL
    ORDER BY asked_by FOR UPDATE`
  if (!unused.some((code) => code.codeHash === codeHash)) return false
  await tx.$executeRaw`
    UPDATE mailed_codes SET code_hash = NULL WHERE account_id = ${accountId}::uuid AND kind = ${kind}`
  return true
}

async function markVerified(tx: Prisma.TransactionClient, accountId: string): Promise<void> {
  await tx.account.updateMany({
    where: { id: accountId, emailVerifiedAt: null },
    data: { emailVerifiedAt: new Date() },
  })
}

import { LRUCache } from 'lru-cache'
import { Counter, type Registry } from 'prom-client'
import type { Notices } from '../cache/notices.ts'
import { rolesOf } from '../contracts/role.ts'
import { createBatchedRead } from '../database/batched-read.ts'
import type { GrpcClient } from '../grpc/client.ts'
import { AppError } from '../runtime/errors.ts'
import type { LiveSession, Sessions } from './auth.ts'

/**
 * How long an answer of account is valid, counted from the question. It bounds the effect of a lost notice: a write
 * begins at most this long after the logout that ended its session was answered.
 */
const answerValidMs = 1_000
/** A session that has ended never lives again; the bound is for a service that was configured wrongly meanwhile. */
const endedMs = 60_000
const maxCachedSessions = 10_000

type Answer = PromiseSettledResult<{ email_verified: boolean; roles: string[] }>

/**
 * Checks whether a caller's session has ended, which the token does not show. It asks account by gRPC, for many
 * requests together, and caches the answer for a second. `notices` of account, by account id, invalidate it at once. A
 * service without notices leaves them out and asks account every time.
 */
export function createSessions({
  accounts,
  notices,
  registry,
  now = () => performance.now(),
}: {
  accounts: Pick<GrpcClient<'auth'>, 'Authenticate'>
  notices?: Pick<Notices, 'subscribe'>
  registry?: Registry
  /** In ms, of a clock that does not step. */
  now?: () => number
}): Sessions {
  const checks = new Counter({
    name: 'session_checks_total',
    help: 'Writes whose session was checked: known to be live or ended, or asked of account',
    labelNames: ['how'],
    registers: registry ? [registry] : [],
  })
  /** One session per account, so that a notice of an account is one deletion. */
  const live = new LRUCache<string, LiveSession & { sessionId: string; until: number }>({
    max: maxCachedSessions,
  })
  const ended = new LRUCache<string, AppError>({ max: maxCachedSessions, ttl: endedMs })
  let noticeCount = 0
  notices?.subscribe((accountId) => {
    noticeCount += 1
    live.delete(accountId)
  })

  const ask = createBatchedRead<Answer>(async (tokens) => {
    const asked = tokens.map((access_token) => accounts.Authenticate({ access_token }))
    const answers = await Promise.allSettled(asked)
    return new Map(tokens.map((token, index) => [token, answers[index] as Answer]))
  })

  return {
    async check({ accountId, sessionId, token }) {
      const refusal = ended.get(sessionId)
      if (refusal) {
        checks.inc({ how: 'known' })
        throw refusal
      }
      const known = live.get(accountId)
      if (known?.sessionId === sessionId && now() < known.until) {
        checks.inc({ how: 'known' })
        return known
      }
      checks.inc({ how: 'asked' })
      const until = now() + answerValidMs
      const countBefore = noticeCount
      const answer = await ask(token)
      if (answer?.status !== 'fulfilled') {
        const { reason } = answer ?? {}
        if (reason instanceof AppError && reason.kind === 'unauthorized')
          ended.set(sessionId, reason)
        throw reason
      }
      const { email_verified, roles } = answer.value
      const session = { emailVerified: email_verified, roles: rolesOf(roles) }
      // An answer that a notice overtook is good for this request only, which came before the notice.
      if (notices && noticeCount === countBefore)
        live.set(accountId, { ...session, sessionId, until })
      return session
    },
  }
}

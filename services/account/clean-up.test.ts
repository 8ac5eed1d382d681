import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { newId } from '../../shared/contracts/ids.ts'
import { createTestDatabase, type TestDatabase } from '../../test/helpers/database.ts'
import { createCleanUp } from './clean-up.ts'
import { type AccountRepository, connectRepository } from './repository.ts'

const hour = 60 * 60

describe('the clean-up of accounts', () => {
  const open = new AsyncDisposableStack()
  let database: TestDatabase
  let repository: AccountRepository
  let cleanUp: () => Promise<void>

  before(async () => {
    database = open.adopt(await createTestDatabase('account'), (it) => it.close())
    repository = open.adopt(
      await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
      (it) => it.close(),
    )
    cleanUp = createCleanUp({
      repository,
      sessionRetentionSeconds: hour,
      outboxRetentionSeconds: 2 * hour,
      logger: pino({ level: 'silent' }),
    })
  })

  after(() => open.disposeAsync())

  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000)
  const ago = (seconds: number) => inSeconds(-seconds)

  const aSession = (expiresAt: Date) => ({
    id: newId(),
    clientHash: '',
    expiresAt,
    refresh: { tokenHash: randomUUID(), expiresAt },
  })

  const aMail = () => ({
    key: randomUUID(),
    to: 'an@example.com',
    template: 'purchase-completed' as const,
    data: { first_name: 'An', purchase_id: newId() },
  })

  /** An account with a code that was mailed. */
  async function register(kind: 'verify' | 'reset', expiresAt: Date): Promise<string> {
    const id = await repository.createAccount(
      {
        email: `${randomUUID()}@example.com`,
        passwordHash: '',
        firstName: 'An',
        lastName: 'Nguyen',
        address: '1 Le Loi',
        phoneNumber: '+84901234567',
        roles: ['buyer'],
      },
      aSession(inSeconds(hour)),
      { kind, codeHash: '', expiresAt, askedBy: '' },
      aMail(),
    )
    assert.ok(id)
    return id
  }

  const addSession = async (accountId: string, expiresAt: Date) => {
    const session = aSession(expiresAt)
    await repository.addSession(accountId, session)
    return session
  }
  const count = async (table: string, where: string): Promise<number> => {
    const [row] = await database.query(`SELECT count(*)::int AS n FROM ${table} WHERE ${where}`)
    return Number(row?.n)
  }
  const tokensOf = ({ id }: { id: string }) => count('refresh_tokens', `session_id = '${id}'`)

  it('removes sessions that ended before the retention, with their tokens', async () => {
    const accountId = await register('verify', inSeconds(hour))
    const expired = await addSession(accountId, ago(hour + 60))
    const ended = await addSession(accountId, inSeconds(hour))
    await database.query(
      `UPDATE sessions SET ended_at = now() - interval '61 minutes' WHERE id = '${ended.id}'`,
    )
    const justExpired = await addSession(accountId, ago(hour - 60))
    const justEnded = await addSession(accountId, inSeconds(hour))
    await repository.endSession(justEnded.id)

    await cleanUp()

    assert.deepEqual(await Promise.all([expired, ended].map(tokensOf)), [0, 0])
    assert.deepEqual(await Promise.all([justExpired, justEnded].map(tokensOf)), [1, 1])
    assert.equal(await count('sessions', `account_id = '${accountId}'`), 3)
  })

  it('keeps every token of a session that lives, so that an old one still ends it', async () => {
    const accountId = await register('verify', inSeconds(hour))
    const session = await addSession(accountId, inSeconds(hour))
    const next = { tokenHash: randomUUID(), expiresAt: inSeconds(hour) }
    await repository.rotateRefreshToken(session.refresh.tokenHash, next, 0)
    await database.query(`
      UPDATE refresh_tokens SET rotated_at = now() - interval '9 days',
        expires_at = now() - interval '8 days'
      WHERE token_hash = '${session.refresh.tokenHash}'`)

    await cleanUp()

    const again = { tokenHash: randomUUID(), expiresAt: inSeconds(hour) }
    const { outcome } = await repository.rotateRefreshToken(session.refresh.tokenHash, again, 10)
    assert.equal(outcome, 'reused')
    const after = await repository.rotateRefreshToken(next.tokenHash, again, 10)
    assert.equal(after.outcome, 'unknown')
  })

  it('removes codes that expired before the retention, unless they count against a limit', async () => {
    const [old, counted, fresh] = [
      await register('verify', ago(hour + 60)),
      await register('verify', ago(hour + 60)),
      await register('reset', ago(hour - 60)),
    ]
    await database.query(`
      UPDATE mailed_codes SET counted_since = now() - interval '2 hours'
      WHERE account_id IN ('${old}', '${fresh}')`)

    await cleanUp()

    const left = (id: string) => count('mailed_codes', `account_id = '${id}'`)
    assert.deepEqual(await Promise.all([old, counted, fresh].map(left)), [0, 1, 1])
  })

  it('purges e-mails that were sent before the retention, and no other', async () => {
    const [old, young, unsent] = [aMail(), aMail(), aMail()]
    await repository.addMails([old, young, unsent])
    const sent = (key: string, minutes: number) =>
      database.query(
        `UPDATE outbox SET sent_at = now() - interval '${minutes} minutes' WHERE key = '${key}'`,
      )
    await sent(old.key, 121)
    await sent(young.key, 119)
    await database.query(
      `UPDATE outbox SET created_at = now() - interval '9 days' WHERE key = '${unsent.key}'`,
    )

    await cleanUp()

    assert.equal(await count('outbox', `key = '${old.key}'`), 0)
    assert.equal((await repository.addMails([young, unsent])).size, 0)
  })

  it('takes a bounded batch at a time, and replicas different ones', async () => {
    const accountId = await register('verify', inSeconds(hour))
    await database.query(`
      INSERT INTO sessions (id, account_id, expires_at)
      SELECT gen_random_uuid(), '${accountId}', now() - interval '2 hours'
      FROM generate_series(1, 250)`)
    const left = () => count('sessions', `account_id = '${accountId}'`)

    await Promise.all([cleanUp(), cleanUp()])
    assert.equal(await left(), 51)

    await cleanUp()
    assert.equal(await left(), 1)
  })
})

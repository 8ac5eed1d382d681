import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connectTestRedis, type TestRedis, uniqueName } from '../../test/helpers/redis.ts'
import { testTokens } from '../../test/helpers/tokens.ts'
import { createNotices } from '../cache/notices.ts'
import { AppError } from '../runtime/errors.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { verifyAccessToken } from './auth.ts'
import { createSessions } from './sessions.ts'

/** Account, as far as it is asked for sessions. */
function fakeAccount() {
  const ended = new Set<string>()
  let asked = 0
  let unavailable = false
  let roles: string[] = []
  return {
    setRoles: (given: string[]) => {
      roles = given
    },
    end: (token: string) => ended.add(token),
    leave: () => {
      unavailable = true
    },
    asked: () => asked,
    async Authenticate({ access_token }: { access_token: string }) {
      asked += 1
      if (unavailable) throw new AppError('unavailable', 'nobody answers')
      const { accountId } = verifyAccessToken(testTokens.config, access_token)
      const answer = { account_id: accountId, email_verified: false, roles }
      if (ended.has(access_token)) throw new AppError('unauthorized', 'the session has ended')
      return answer
    },
  }
}

/** Notices of this process. */
function fakeNotices() {
  let listener: (text: string) => void = () => undefined
  return {
    publish: (text: string) => listener(text),
    subscribe(listen: (text: string) => void) {
      listener = listen
    },
  }
}

const aCaller = (accountId: string = randomUUID()) =>
  verifyAccessToken(testTokens.config, testTokens.tokenFor(accountId))

describe('a session that is asked for', () => {
  it('has the roles of the account as they are now, whatever its token says', async () => {
    const account = fakeAccount()
    const notices = fakeNotices()
    const caller = aCaller()
    const sessions = createSessions({ accounts: account, notices })

    account.setRoles(['buyer'])
    assert.deepEqual((await sessions.check(caller)).roles, ['buyer'])
    account.setRoles(['buyer', 'admin', 'of a later version'])
    notices.publish(caller.accountId)
    assert.deepEqual((await sessions.check(caller)).roles, ['buyer', 'admin'])
  })

  it('has the roles from before there were roles when account is of an older version', async () => {
    const sessions = createSessions({ accounts: fakeAccount() })

    assert.deepEqual((await sessions.check(aCaller())).roles, ['buyer', 'seller'])
  })

  it('is known for a second with notices, and asked for every time without', async () => {
    const account = fakeAccount()
    const caller = aCaller()
    const known = createSessions({ accounts: account, notices: fakeNotices(), now: () => 0 })
    const asking = createSessions({ accounts: account })

    for (let i = 0; i < 3; i += 1) await known.check(caller)
    assert.equal(account.asked(), 1)

    for (let i = 0; i < 3; i += 1) await asking.check(caller)
    assert.equal(account.asked(), 4)
  })

  it('is refused a second after the question at the latest, although every notice was lost', async () => {
    const account = fakeAccount()
    let ms = 0
    const sessions = createSessions({
      accounts: account,
      notices: fakeNotices(),
      now: () => ms,
    })
    const caller = aCaller()
    await sessions.check(caller)
    account.end(caller.token)

    ms = 999
    await assert.doesNotReject(sessions.check(caller))
    ms = 1_000
    await assert.rejects(sessions.check(caller), { kind: 'unauthorized' })
  })

  it('is refused at once after the notice of its account, and no other account is asked for again', async () => {
    const account = fakeAccount()
    const notices = fakeNotices()
    const sessions = createSessions({ accounts: account, notices, now: () => 0 })
    const [leaving, staying] = [aCaller(), aCaller()]
    await Promise.all([sessions.check(leaving), sessions.check(staying)])

    account.end(leaving.token)
    notices.publish(leaving.accountId)

    await assert.rejects(sessions.check(leaving), { kind: 'unauthorized' })
    await sessions.check(staying)
    assert.equal(account.asked(), 3)
  })

  it('is not believed to live by an answer that its notice overtook', async () => {
    const account = fakeAccount()
    const notices = fakeNotices()
    const gate = Promise.withResolvers<void>()
    const slow = {
      async Authenticate(request: { access_token: string }) {
        const answer = await account.Authenticate(request)
        await gate.promise
        return answer
      },
    }
    const sessions = createSessions({ accounts: slow, notices })
    const caller = aCaller()
    const under = sessions.check(caller)
    await waitFor('the question', async () => account.asked() === 1)

    account.end(caller.token)
    notices.publish(caller.accountId)
    gate.resolve()

    await assert.doesNotReject(under)
    await assert.rejects(sessions.check(caller), { kind: 'unauthorized' })
  })

  it('is known by its own id: another session of the account is asked for', async () => {
    const account = fakeAccount()
    const sessions = createSessions({ accounts: account, notices: fakeNotices() })
    const one = aCaller()
    const other = aCaller(one.accountId)
    account.end(other.token)

    await sessions.check(one)

    await assert.rejects(sessions.check(other), { kind: 'unauthorized' })
    await assert.doesNotReject(sessions.check(one))
  })

  it('that has ended costs account one question', async () => {
    const account = fakeAccount()
    const sessions = createSessions({ accounts: account })
    const caller = aCaller()
    account.end(caller.token)

    for (let i = 0; i < 3; i += 1) {
      await assert.rejects(sessions.check(caller), { kind: 'unauthorized' })
    }

    assert.equal(account.asked(), 1)
  })

  it('is refused for now when account does not answer, and asked for again', async () => {
    const account = fakeAccount()
    account.leave()
    const sessions = createSessions({ accounts: account, notices: fakeNotices() })
    const caller = aCaller()

    await assert.rejects(sessions.check(caller), { kind: 'unavailable' })
    await assert.rejects(sessions.check(caller), { kind: 'unavailable' })

    assert.equal(account.asked(), 2)
  })
})

describe('notices', () => {
  let open: AsyncDisposableStack

  beforeEach(() => {
    open = new AsyncDisposableStack()
  })
  afterEach(() => open.disposeAsync())

  const connect = async (nodes?: string[]): Promise<TestRedis> =>
    open.adopt(await connectTestRedis(nodes), (it) => it.close())

  it('of one process reach those that listen on their channel', async () => {
    const prefix = uniqueName()
    const received: string[] = []
    const listening = await connect()
    createNotices('a', { ...listening, prefix }).subscribe((text) => received.push(text))
    const sender = await connect()
    const [a, b] = ['a', 'b'].map((channel) => createNotices(channel, { ...sender, prefix }))

    await waitFor('the subscription', async () => {
      await b?.publish('of b')
      await a?.publish('of a')
      return received.length > 0
    })

    assert.deepEqual(new Set(received), new Set(['of a']))
  })

  it('are lost without harm while Redis is unavailable', async () => {
    const notices = createNotices('a', await connect(['127.0.0.1:1']))
    notices.subscribe(() => undefined)

    await assert.doesNotReject(notices.publish('lost'))
  })
})

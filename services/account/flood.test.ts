import assert from 'node:assert/strict'
import { startTestAccount, type TestAccount } from '../../test/helpers/account.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'

/** At once, all the time: more than one client has turns for, so that some of them wait. */
const requests = 55
/** A login may take this many times as long as without the flood, and never fails for less than 2 s. */
const tolerance = { factor: 10, leastMs: 2_000 }
/** A flood that delays logins delays them every time; a machine that pauses for seconds does so now and then. */
const maxRounds = 5

describe('a client that asks for many codes at once', () => {
  const open = new AsyncDisposableStack()
  let account: TestAccount

  before(async () => {
    const topics = open.adopt(await createTestTopics(), (it) => it.close())
    account = open.adopt(await startTestAccount(topics.config), (it) => it.close())
  })

  after(() => open.disposeAsync())

  it('delays neither the owner of the address nor anyone else who logs in', async () => {
    const [victim, other] = [await account.register(), await account.register()]
    /** Four logins at once; `ms`: how long the slowest one took. */
    const logIn = async () => {
      const startedAt = performance.now()
      const statuses = await Promise.all(
        [victim, other, victim, other].map(async ({ email, password }) => {
          const login = await account.postFrom('203.0.113.2', '/login', { email, password })
          return login.status
        }),
      )
      return { statuses, ms: performance.now() - startedAt }
    }
    const areIn = ({ statuses }: { statuses: number[] }) => statuses.every((one) => one === 200)
    const alone = await logIn()
    let flooding = true
    const flood = Array.from({ length: requests }, async () => {
      const statuses: number[] = []
      while (flooding) {
        const { status } = await account.postFrom('203.0.113.1', '/password/forgot', {
          email: victim.email,
        })
        statuses.push(status)
      }
      return statuses
    })

    const rounds = [await logIn()]
    const mostMs = Math.max(tolerance.leastMs, tolerance.factor * alone.ms)
    const areServed = () => rounds.some((round) => areIn(round) && round.ms < mostMs)
    while (!areServed() && rounds.length < maxRounds) rounds.push(await logIn())
    flooding = false
    const answers = new Set((await Promise.all(flood)).flat())

    assert.ok(areIn(alone))
    assert.ok(areServed(), `${rounds.map(({ ms }) => ms)} ms in the flood, ${alone.ms} ms without`)
    // A database that pauses for seconds is unavailable, to the flood as well.
    const isUnavailable = answers.delete(503)
    for (const round of rounds) assert.ok(areIn(round) || isUnavailable, String(round.statuses))
    assert.deepEqual(answers, new Set([202]))
  })
})

import assert from 'node:assert/strict'
import { startTestAccount, type TestAccount } from '../../test/helpers/account.ts'
import { createTestTopics } from '../../test/helpers/topics.ts'

/** At once, all the time: more than one client has turns for, so that some of them wait. */
const requests = 55
/** A login alone takes a tenth of it. */
const deadlineMs = 2_000

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

    const logins = await Promise.all(
      [victim, other, victim, other].map(async ({ email, password }) => {
        const startedAt = performance.now()
        const { status } = await account.postFrom('203.0.113.2', '/login', { email, password })
        return { status, ms: performance.now() - startedAt }
      }),
    )
    flooding = false
    const answers = (await Promise.all(flood)).flat()

    for (const { status, ms } of logins) {
      assert.equal(status, 200)
      assert.ok(ms < deadlineMs, `${ms} ms`)
    }
    assert.deepEqual(new Set(answers), new Set([202]))
  })
})

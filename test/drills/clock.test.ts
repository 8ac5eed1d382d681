import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createCachedReader } from '../../shared/cache/read-through.ts'
import { signAccessToken, verifyAccessToken } from '../../shared/http/auth.ts'
import { isExpired } from '../../shared/messaging/inbox.ts'
import { stepped } from '../helpers/clock.ts'
import { connectTestRedis, type TestRedis, uniqueName } from '../helpers/redis.ts'
import { testTokens } from '../helpers/tokens.ts'

const minuteMs = 60_000
const fields = { id: 'string', name: 'string' } as const

describe('a clock that steps by five minutes', () => {
  describe('an access token', () => {
    const { config, signingKey } = testTokens
    const { JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = config
    const accountId = randomUUID()
    const claims = { accountId, sessionId: randomUUID(), issuer, audience, ttlSeconds: 15 * 60 }
    const verify = (token: string) => verifyAccessToken(config, token).accountId

    for (const minutes of [-5, 5]) {
      it(`is good where it is checked ${minutes} minutes off`, async () => {
        const token = signAccessToken(signingKey, claims)

        assert.equal(await stepped(minutes, () => verify(token)), accountId)
      })

      it(`is good when it was signed ${minutes} minutes off`, async () => {
        const token = await stepped(minutes, () => signAccessToken(signingKey, claims))

        assert.equal(verify(token), accountId)
      })
    }

    it('still ends', async () => {
      const token = signAccessToken(signingKey, claims)

      await stepped(16, () => assert.throws(() => verify(token), /expired/))
    })
  })

  describe('a command', () => {
    const command = (deadline: number | undefined) => ({
      name: 'createOrder' as const,
      commandId: 'id',
      purchaseId: 'id',
      deadline,
      body: {} as never,
    })

    it('is refused too early or too late, and an undo never', async () => {
      const deadline = Date.now() + minuteMs

      assert.equal(await stepped(5, () => isExpired(command(deadline))), true)
      assert.equal(await stepped(-5, () => isExpired(command(deadline - 2 * minuteMs))), false)
      assert.equal(await stepped(5, () => isExpired(command(undefined))), false)
    })
  })

  describe('a cached row', () => {
    const resources = new AsyncDisposableStack()
    after(() => resources.disposeAsync())

    async function createReader(name: string, load: () => string) {
      const test: TestRedis = resources.adopt(await connectTestRedis(), (open) => open.close())
      const reader = createCachedReader({
        ...test,
        name,
        fields,
        load: async (id) => ({ id, name: load() }),
      })
      resources.adopt(reader, (open) => open.close())
      return { ...reader, test }
    }

    for (const minutes of [-5, 5]) {
      it(`kept by a process ${minutes} minutes off is not kept for longer than its time`, async () => {
        const name = uniqueName()
        const id = randomUUID()
        const off = await createReader(name, () => 'first')
        const right = await createReader(name, () => 'second')

        await stepped(minutes, () => off.read(id))
        const ttl = await right.test.redis.cluster.ttl(`${name}:${id}`)
        const answer = await right.read(id)

        assert.ok(ttl > 0 && ttl <= 66, `${ttl} s`)
        assert.equal(answer?.name, minutes < 0 ? 'second' : 'first')
      })
    }
  })
})

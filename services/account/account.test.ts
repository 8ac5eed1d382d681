import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { aForm } from '../../test/helpers/account.ts'
import {
  type AccountHttp,
  openAccountHttp,
  pairOf,
  problemOf,
} from '../../test/helpers/account-http.ts'

const uuidv7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('account', () => {
  let account: AccountHttp

  before(async () => {
    account = await openAccountHttp()
  })

  after(() => account.close())

  describe('register and login', () => {
    it('take the bodies of the README and give the token pair that opens the personal page', async () => {
      const registeredResponse = await account.post(
        '/register',
        `{
    "email": "deptrai@gmail.com",
    "password": "deptrai123",
    "first_name": "dep",
    "last_name": "trai",
    "address": "123 quan 9",
    "phone_number": "0110213813"
}`,
      )
      const loggedIn = await account.post(
        '/login',
        `{
    "email": "deptrai@gmail.com",
    "password": "deptrai123"
}`,
      )

      assert.equal(registeredResponse.status, 201)
      assert.equal(loggedIn.status, 200)
      for (const pair of [await pairOf(registeredResponse), await pairOf(loggedIn)]) {
        assert.deepEqual(Object.keys(pair).sort(), [
          'access_token',
          'expires_in',
          'refresh_token',
          'token_type',
        ])
        assert.equal(pair.token_type, 'Bearer')
        assert.equal(pair.expires_in, 900)
        assert.match(pair.refresh_token, /^[\w-]{43}$/)
        for (const response of [
          await account.personal(pair.access_token),
          await account.post('/customer/personal', '', pair.access_token),
        ]) {
          assert.equal(response.status, 200)
          const { id, ...rest } = (await response.json()) as { id: string }
          assert.match(id, uuidv7)
          assert.deepEqual(rest, {
            email: 'deptrai@gmail.com',
            email_verified: false,
            first_name: 'dep',
            last_name: 'trai',
            address: '123 quan 9',
            phone_number: '0110213813',
            roles: ['buyer', 'seller'],
          })
        }
      }
    })

    it('know one account by any spelling of its address', async () => {
      const { form } = await account.registered({ email: `An.${randomUUID()}@Example.com` })
      const shouted = form.email.toUpperCase()

      const second = await account.post('/register', aForm({ email: shouted }))
      const login = await account.post('/login', { email: ` ${shouted} `, password: form.password })

      assert.equal(second.status, 409)
      const problem = await problemOf(second)
      assert.equal(problem.type, 'urn:shop:problem:conflict')
      assert.deepEqual(problem.errors, [{ field: 'email', rule: 'is taken' }])
      assert.equal(login.status, 200)
    })

    it('let one of many win who register one address at once', async () => {
      const form = aForm()

      const responses = await Promise.all([1, 2, 3, 4].map(() => account.post('/register', form)))

      assert.deepEqual(responses.map((response) => response.status).sort(), [201, 409, 409, 409])
    })

    it('name every field that is wrong', async () => {
      const bad = { email: 'nobody', password: 'short', first_name: ' ', phone_number: 'call me' }

      const response = await account.post('/register', bad)
      const login = await account.post('/login', {})

      assert.equal(response.status, 400)
      assert.deepEqual((await problemOf(response)).errors.map(({ field }) => field).sort(), [
        'address',
        'email',
        'first_name',
        'last_name',
        'password',
        'phone_number',
      ])
      assert.equal(login.status, 400)
      assert.deepEqual((await problemOf(login)).errors.map(({ field }) => field).sort(), [
        'email',
        'password',
      ])
    })

    for (const [field, value] of [
      ['id', randomUUID()],
      ['password_hash', 'x'],
      ['verified', true],
    ] as const) {
      it(`refuse a ${field} that the client would like to set`, async () => {
        const response = await account.post('/register', aForm({ [field]: value }))

        assert.equal(response.status, 400)
        assert.deepEqual((await problemOf(response)).errors, [{ field, rule: 'is not known' }])
      })
    }

    for (const field of ['first_name', 'last_name', 'address']) {
      it(`refuse a ${field} that PostgreSQL cannot store`, async () => {
        const response = await account.post('/register', aForm({ [field]: 'a\0b' }))

        assert.equal(response.status, 400)
        assert.equal((await problemOf(response)).errors[0]?.field, field)
      })
    }

    for (const [field, value] of [
      ['first_name', 'A\ud83d'],
      ['last_name', '\u200b\u202e'],
      ['password', 'correct horse \ud83d'],
    ] as const) {
      it(`refuse a ${field} that is no text`, async () => {
        const response = await account.post('/register', aForm({ [field]: value }))

        assert.equal(response.status, 400)
        assert.deepEqual(
          (await problemOf(response)).errors.map((error) => error.field),
          [field],
        )
      })
    }
  })

  it('is ready and measured', async () => {
    const ready = await waitFor('account to join its group', async () => {
      const response = await fetch(`${account.url}/health/ready`)
      return response.ok && response
    })

    const checks = { database: true, results: true, requests: true }
    assert.deepEqual(await ready.json(), { status: 'ready', checks })
    assert.equal((await fetch(`${account.url}/metrics`)).status, 200)
  })

  describe('deliveries, for purchases', () => {
    it('have name, address and phone number as they are now; unknown accounts are left out', async () => {
      const { form, pair } = await account.registered()
      const { id } = (await (await account.personal(pair.access_token)).json()) as { id: string }
      const ask = () => account.grpc.GetDeliveries({ account_ids: [id, randomUUID()] })
      const recipient = { account_id: id, name: `${form.first_name} ${form.last_name}` }

      const before = await ask()
      await fetch(`${account.url}/api/v1/account/customer/delivery`, {
        method: 'PUT',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${pair.access_token}`,
        },
        body: JSON.stringify({ address: '2 New Street', phone_number: '0900000002' }),
      })

      const { address, phone_number } = form
      assert.deepEqual(before, { deliveries: [{ ...recipient, address, phone_number }] })
      assert.deepEqual(await ask(), {
        deliveries: [{ ...recipient, address: '2 New Street', phone_number: '0900000002' }],
      })
    })

    it('are asked for by at most a hundred ids', async () => {
      const account_ids = Array.from({ length: 101 }, () => randomUUID())

      await assert.rejects(account.grpc.GetDeliveries({ account_ids }), { kind: 'invalid' })
      await assert.rejects(account.grpc.GetDeliveries({ account_ids: ['x'] }), { kind: 'invalid' })
    })
  })
})

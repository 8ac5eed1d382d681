import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { problemOf, startThingServer, type ThingServer } from '../../test/helpers/thing-server.ts'
import { testTokens } from '../../test/helpers/tokens.ts'

describe('the input of a route', () => {
  let server: ThingServer

  before(async () => {
    server = await startThingServer()
  })

  after(() => server.close())

  it('hands over what the contract parsed and answers with its status', async () => {
    const created = await server.post('/things', '{"name":"a"}', { 'idempotency-key': 'k' })
    const id = randomUUID()
    const found = await server.get(`/things/${id}?limit=5`)

    assert.equal(created.status, 201)
    assert.deepEqual(await created.json(), { name: 'a', key: 'k' })
    assert.equal(found.status, 200)
    assert.deepEqual(await found.json(), { id, limit: 5 })
  })

  it('names every field that is wrong, as problem JSON', async () => {
    const response = await server.post('/things', '{"name":"","lines":[1,"x"],"admin":true}')

    assert.equal(response.status, 400)
    const problem = await problemOf(response)
    assert.equal(problem.type, 'urn:shop:problem:invalid')
    assert.equal(problem.title, 'The request is not valid')
    assert.equal(problem.status, 400)
    assert.equal(problem.instance, '/api/v1/things')
    assert.deepEqual(
      problem.errors?.map(({ field }) => field),
      ['name', 'lines.1', 'admin'],
    )
  })

  for (const [what, body] of [
    ['is not JSON', '{"name":'],
    ['is an array', '[{"name":"a"}]'],
    ['is a bare value', '"a"'],
    ['is null', 'null'],
    ['tries to change prototypes', '{"name":"a","__proto__":{"admin":true}}'],
  ] as const) {
    it(`refuses a body that ${what}`, async () => {
      const response = await server.post('/things', body)

      assert.equal(response.status, 400)
      assert.equal((await problemOf(response)).type, 'urn:shop:problem:invalid')
    })
  }

  it('names the required fields when the body is missing', async () => {
    for (const response of [await server.post('/things'), await server.post('/things', '')]) {
      assert.equal(response.status, 400)
      assert.deepEqual(
        (await problemOf(response)).errors?.map(({ field }) => field),
        ['name'],
      )
    }
  })

  it('refuses a body that is too large', async () => {
    const response = await server.post('/things', JSON.stringify({ name: 'a'.repeat(102_400) }))

    assert.equal(response.status, 413)
    assert.equal((await problemOf(response)).type, 'urn:shop:problem:too-large')
  })

  it('refuses parameters and queries that are not of the contract', async () => {
    const id = randomUUID()

    for (const [path, field] of [
      ['/things/1', 'id'],
      [`/things/${id}?limit=x`, 'limit'],
      [`/things/${id}?limit=1&limit=2`, 'limit'],
      [`/things/${id}?admin=1`, 'admin'],
    ] as const) {
      const response = await server.get(path)
      assert.equal(response.status, 400, path)
      assert.equal((await problemOf(response)).errors?.[0]?.field, field)
    }
    assert.equal((await server.get('/things/%zz')).status, 400)
  })

  it('takes a POST without body, empty or not, where the contract has none', async () => {
    const headers = { authorization: `Bearer ${testTokens.tokenFor(randomUUID())}` }

    for (const body of [undefined, '', '{}']) {
      assert.equal((await server.post('/mine', body, headers)).status, 200)
    }
    assert.equal(
      (await fetch(`${server.url}/api/v1/mine`, { method: 'POST', headers })).status,
      200,
    )
  })
})

import assert from 'node:assert/strict'
import { pino } from 'pino'
import { request } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { FieldError } from '../../shared/contracts/problem.ts'
import type { Routes } from '../../shared/contracts/route.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import type { Handlers } from '../../shared/http/route.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { testTokens } from './tokens.ts'

/** Of an answer: a record, a page of them or a problem. */
export type OwnBody<T> = T & {
  items: T[]
  next_cursor: string | null
  detail?: string
  errors?: FieldError[]
}

export type OwnRecords<T> = {
  /** Asks as a customer, or without a token. */
  get: (path: string, customerId?: string) => Promise<{ status: number; body: OwnBody<T> }>
  close: () => Promise<void>
}

/** An HTTP server for routes by which customers read their own records. */
export async function serveOwnRecords<T, R extends Routes>(
  name: string,
  routes: R,
  handlers: Handlers<R>,
): Promise<OwnRecords<T>> {
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger: pino({ level: 'silent' }),
    metrics: createMetrics(name),
    health: {},
    routes,
    handlers,
    authenticate: createAuthentication(testTokens.config),
  })
  return {
    get: (path, customerId) =>
      request<OwnBody<T>>(
        `http://127.0.0.1:${server.port}`,
        'GET',
        path,
        customerId === undefined ? {} : { token: testTokens.tokenFor(customerId) },
      ),
    close: () => server.close(),
  }
}

/** What holds for every kind of record that belongs to a customer. `path` is like `/orders`. */
export function itKeepsRecordsApart(
  path: string,
  records: () => Pick<OwnRecords<{ id: string; created_at: string }>, 'get'>,
  create: (customerId: string) => Promise<string>,
): void {
  it(`GET ${path}/:id does not tell a foreign one from a missing one`, async () => {
    const { get } = records()
    const foreign = await get(`${path}/${await create(newId())}`, newId())
    const missing = await get(`${path}/${newId()}`, newId())

    assert.equal(foreign.status, 404)
    assert.equal(missing.status, 404)
    assert.equal(foreign.body.detail, missing.body.detail)
    assert.equal((await get(`${path}/1`, newId())).status, 400)
  })

  it(`GET ${path} pages through one's own, newest first`, async () => {
    const { get } = records()
    const customer = newId()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push(await create(customer))
    await create(newId())

    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await get(`${path}?limit=2${cursor && `&cursor=${cursor}`}`, customer)
      seen.push(...body.items.map(({ id }) => id))
      cursor = body.next_cursor
    }
    assert.deepEqual(seen, ids.reverse())
    assert.deepEqual((await get(path, newId())).body, { items: [], next_cursor: null })
  })

  it(`GET ${path} shows those of a time, its end excluded`, async () => {
    const { get } = records()
    const customer = newId()
    for (let i = 0; i < 3; i++) await create(customer)
    const { body } = await get(path, customer)
    const times = body.items.map(({ created_at }) => created_at)
    const expected = (fits: (at: string) => boolean) =>
      body.items.filter(({ created_at }) => fits(created_at)).map(({ id }) => id)
    const shown = async (query: string) =>
      (await get(`${path}?${query}`, customer)).body.items.map(({ id }) => id)
    const middle = times[1] ?? ''

    assert.deepEqual(
      await shown(`created_from=${middle}`),
      expected((at) => at >= middle),
    )
    assert.deepEqual(
      await shown(`created_to=${middle}`),
      expected((at) => at < middle),
    )
    assert.deepEqual(await shown(`created_from=${middle}&created_to=${middle}`), [])
    assert.deepEqual(
      await shown(`created_from=${encodeURIComponent(middle.replace('Z', '+00:00'))}&limit=100`),
      expected((at) => at >= middle),
    )
    const refused = await get(`${path}?created_from=yesterday`, customer)
    assert.equal(refused.status, 400)
    assert.deepEqual(
      refused.body.errors?.map(({ field }) => field),
      ['created_from'],
    )
  })

  it(`GET ${path} asks for a token`, async () => {
    const { get } = records()

    assert.equal((await get(path)).status, 401)
    assert.equal((await get(`${path}/${newId()}`)).status, 401)
  })
}

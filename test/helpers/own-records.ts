import assert from 'node:assert/strict'
import { pino } from 'pino'
import { request } from '../../scripts/shop-client.ts'
import { createAuthentication } from '../../shared/auth.ts'
import { startHttpServer } from '../../shared/http.ts'
import { newId } from '../../shared/ids.ts'
import { createMetrics } from '../../shared/metrics.ts'
import type { Handlers, Routes } from '../../shared/route.ts'
import { testTokens } from './tokens.ts'

/** Of an answer: a record, a page of them or a problem. */
export type OwnBody<T> = T & { items: T[]; next_cursor: string | null; detail?: string }

export type OwnRecords<T> = {
  /** Asks as a customer, or without a token. */
  get: (path: string, customerId?: string) => Promise<{ status: number; body: OwnBody<T> }>
  close: () => Promise<void>
}

/** An HTTP server for routes that a customer reads what is theirs by. */
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
  records: () => Pick<OwnRecords<{ id: string }>, 'get'>,
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

  it(`GET ${path} asks for a token`, async () => {
    const { get } = records()

    assert.equal((await get(path)).status, 401)
    assert.equal((await get(`${path}/${newId()}`)).status, 401)
  })
}

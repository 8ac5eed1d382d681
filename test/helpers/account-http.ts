import assert from 'node:assert/strict'
import pg from 'pg'
import type { TokenPair } from '../../shared/contracts/account.ts'
import { aForm, startTestAccount } from './account.ts'
import { createTestTopics } from './topics.ts'

type Problem = { type: string; detail: string; errors: { field: string; rule: string }[] }

export const pairOf = async (response: Response) => (await response.json()) as TokenPair
export const problemOf = async (response: Response) => (await response.json()) as Problem

/** The account service as HTTP and gRPC show it, and its database; refresh tokens end soon. */
export async function openAccountHttp() {
  await using opening = new AsyncDisposableStack()
  const topics = opening.adopt(await createTestTopics(), (open) => open.close())
  const account = opening.adopt(
    await startTestAccount(topics.config, undefined, {
      REFRESH_TOKEN_TTL_SECONDS: 60,
      SESSION_TTL_SECONDS: 600,
      REFRESH_GRACE_SECONDS: 0,
    }),
    (open) => open.close(),
  )
  const { url, grpc } = account
  const sql = opening.adopt(new pg.Client({ connectionString: account.databaseUrl }), (client) =>
    client.end(),
  )
  await sql.connect()

  const post = (path: string, body: unknown, token?: string) =>
    fetch(`${url}/api/v1/account${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  const personal = (token: string) =>
    fetch(`${url}/api/v1/account/customer/personal`, {
      headers: { authorization: `Bearer ${token}` },
    })

  /** A new customer, and what they sent. */
  async function registered(overrides: object = {}) {
    const form = aForm(overrides)
    const response = await post('/register', form)
    assert.equal(response.status, 201)
    return { form, pair: await pairOf(response) }
  }

  const opened = opening.move()
  return { url, grpc, sql, post, personal, registered, close: () => opened.disposeAsync() }
}

export type AccountHttp = Awaited<ReturnType<typeof openAccountHttp>>

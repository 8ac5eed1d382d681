import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import { z } from 'zod'
import type { Routes } from '../../shared/contracts/route.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import type { HealthChecks } from '../../shared/http/operations.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { testSessions, testTokens } from './tokens.ts'

const Thing = z.strictObject({ name: z.string().min(1), lines: z.array(z.int()).default([]) })

const routes = {
  create: {
    method: 'post',
    path: '/things',
    summary: 'Create',
    headers: z.object({ 'idempotency-key': z.string().min(1).optional() }),
    body: Thing,
    status: 201,
    response: z.object({ name: z.string(), key: z.string().optional() }),
  },
  find: {
    method: 'get',
    path: '/things/:id',
    summary: 'Find',
    params: z.strictObject({ id: z.uuid() }),
    query: z.strictObject({ limit: z.coerce.number().int().max(100).default(20) }),
    status: 200,
    response: z.object({ id: z.uuid(), limit: z.int() }),
  },
  mine: {
    method: 'post',
    path: '/mine',
    summary: 'Who am I',
    auth: true,
    status: 200,
    response: z.object({ id: z.string() }),
  },
  fail: {
    method: 'get',
    path: '/fail/:how',
    summary: 'Fail',
    params: z.strictObject({ how: z.enum(['busy', 'bug', 'wrong-answer']) }),
    status: 200,
    response: z.strictObject({ ok: z.boolean() }),
  },
  slow: {
    method: 'get',
    path: '/slow',
    summary: 'Slow',
    status: 200,
    response: z.object({ ok: z.boolean() }),
  },
} as const satisfies Routes

/** A server whose routes cover what a contract can ask for, and how a handler can end. */
export async function startThingServer() {
  const health: HealthChecks = { database: () => true }
  const slow = {
    started: Promise.withResolvers<void>(),
    end: Promise.withResolvers<{ ok: boolean }>(),
  }
  const log = new PassThrough()
  let logged = ''
  log.on('data', (line) => {
    logged += line
  })
  const http = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    logger: pino({ level: 'trace' }, log),
    metrics: createMetrics('test'),
    health,
    authenticate: createAuthentication(testTokens.config),
    sessions: testSessions(),
    routes,
    handlers: {
      create: async ({ body, headers }) => ({ name: body.name, key: headers['idempotency-key'] }),
      find: async ({ params, query }) => ({ id: params.id, limit: query.limit }),
      mine: async ({ caller }) => ({ id: caller.accountId }),
      async fail({ params }) {
        if (params.how === 'busy') throw new AppError('unavailable', 'too busy')
        if (params.how === 'bug') throw new Error('hunter2')
        const leaky = { ok: true, password: 'hunter2' }
        return leaky
      },
      slow: () => {
        slow.started.resolve()
        return slow.end.promise
      },
    },
  })
  const url = `http://127.0.0.1:${http.port}`

  return {
    url,
    port: http.port,
    /** Its checks, which a test changes. */
    health,
    /** The request to `/slow`, which ends when a test ends it. */
    slow,
    /** What is logged from now on, each time it is asked for. */
    watchLog() {
      logged = ''
      return () => logged
    },
    get: (path: string) => fetch(`${url}/api/v1${path}`),
    post: (path: string, body?: string, headers: Record<string, string> = {}) =>
      fetch(`${url}/api/v1${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body }),
      }),
    close: () => http.close(),
  }
}

export type ThingServer = Awaited<ReturnType<typeof startThingServer>>

export async function problemOf(response: Response) {
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
  return (await response.json()) as {
    type: string
    title: string
    status: number
    detail?: string
    instance: string
    errors?: { field: string; rule: string }[]
  }
}

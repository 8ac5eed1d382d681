import assert from 'node:assert/strict'
import { z } from 'zod'
import type { Routes } from '../contracts/route.ts'
import { createLogger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import type { AwaitEnd } from './prefer-wait.ts'
import { startHttpServer } from './server.ts'

const routes = {
  begin: {
    method: 'post',
    path: '/work',
    summary: 'Begins work',
    status: 202,
    response: z.object({ begun: z.boolean() }),
    ended: z.object({ done: z.boolean() }),
  },
} as const satisfies Routes

/** The result, or undefined when the signal is aborted before it is there. */
function orAborted<T>(result: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined)),
  )
  return Promise.race([result, aborted])
}

describe('Prefer: wait', () => {
  let server: Awaited<ReturnType<typeof startHttpServer>>
  let metrics: ReturnType<typeof createMetrics>
  let awaitEnd: AwaitEnd
  let maxInFlight: number

  beforeEach(async () => {
    maxInFlight = 4
    awaitEnd = async () => ({ done: true })
    metrics = createMetrics('test')
    server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: createLogger('test', 'silent'),
      metrics,
      routes,
      maxInFlight,
      handlers: { begin: async () => ({ begun: true }) },
      awaitEnd: (...all) => awaitEnd(...all),
      health: {},
    })
  })

  afterEach(() => server.close())

  async function begin(prefer?: string) {
    const response = await fetch(`http://127.0.0.1:${server.port}/api/v1/work`, {
      method: 'POST',
      ...(prefer !== undefined && { headers: { prefer } }),
    })
    return {
      status: response.status,
      applied: response.headers.get('preference-applied'),
      body: await response.json(),
    }
  }

  const waiting = async () => {
    const text = await metrics.registry.metrics()
    return Number(/http_requests_in_flight\{stage="end"[^}]*\} (\d+)/.exec(text)?.[1])
  }

  it('answers with the end when it comes in time', async () => {
    assert.deepEqual(await begin('wait=5'), {
      ...{ status: 200, applied: 'wait=5', body: { done: true } },
    })
  })

  it('is found among other preferences, in the forms that the standard has', async () => {
    for (const prefer of ['respond-async, wait=5', 'WAIT = "5"; foo', 'handling=lenient,wait=5']) {
      assert.equal((await begin(prefer)).applied, 'wait=5', prefer)
    }
  })

  it('is not applied when it says nothing that is known', async () => {
    for (const prefer of [
      undefined,
      '',
      'wait=0',
      'wait=x',
      'wait=-1',
      'await=5',
      'return=minimal',
    ]) {
      const answer = await begin(prefer)

      assert.deepEqual(answer, { status: 202, applied: null, body: { begun: true } })
    }
  })

  it('is cut to what the gateway waits for', async () => {
    assert.equal((await begin('wait=999999')).applied, 'wait=30')
  })

  it('answers 202 when the time is over', async () => {
    const never = Promise.withResolvers<unknown>()
    awaitEnd = (_accepted, _input, signal) => orAborted(never.promise, signal)

    const answer = await begin('wait=1')

    assert.deepEqual(answer, { status: 202, applied: 'wait=1', body: { begun: true } })
  })

  it('answers 202 when the end cannot be read: what was begun goes on', async () => {
    awaitEnd = async () => {
      throw new Error('no database')
    }

    assert.equal((await begin('wait=5')).status, 202)
  })

  it('holds no turn, and lets a client wait with its share only', async () => {
    const end = Promise.withResolvers<unknown>()
    awaitEnd = (_accepted, _input, signal) => orAborted(end.promise, signal)
    const share = 32
    const waiters = Array.from({ length: share }, () => begin('wait=20'))
    await waitFor('all of the share to wait', async () => (await waiting()) === share)

    const beyond = await begin('wait=20')
    const without = await begin()
    end.resolve({ done: true })
    const ended = await Promise.all(waiters)

    assert.ok(share > maxInFlight)
    assert.deepEqual(beyond, { status: 202, applied: null, body: { begun: true } })
    assert.equal(without.status, 202)
    assert.ok(ended.every(({ status }) => status === 200))
    assert.equal(await waiting(), 0)
  })

  it('ends early with 202 when the process drains', async () => {
    const never = Promise.withResolvers<unknown>()
    awaitEnd = (_accepted, _input, signal) => orAborted(never.promise, signal)
    const waiter = begin('wait=30')
    await waitFor('the request to wait', async () => (await waiting()) === 1)

    await server.close()

    assert.equal((await waiter).status, 202)
  })
})

import { pino } from 'pino'
import { createHandlers } from '../../services/purchase/http.ts'
import { createProgressFeed } from '../../services/purchase/progress-feed.ts'
import { connectRepository } from '../../services/purchase/repository.ts'
import { createPurchaseService } from '../../services/purchase/service.ts'
import { commands } from '../../shared/contracts/commands.ts'
import type { TerminalStatus } from '../../shared/contracts/events.ts'
import { purchaseRoutes } from '../../shared/contracts/purchase.ts'
import type { CommandName } from '../../shared/contracts/steps.ts'
import { createAuthentication } from '../../shared/http/auth.ts'
import { startHttpServer } from '../../shared/http/server.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createTestDatabase } from './database.ts'
import type { Bought } from './purchase-http.ts'
import { serviceDefaults, storeAccepted } from './purchase-service.ts'
import { buildPurchase } from './purchases.ts'
import { connectTestRedis, uniqueName } from './redis.ts'
import { testSessions, testTokens } from './tokens.ts'

/** Nodes of Redis that nobody answers at. */
export const unavailable = ['127.0.0.1:1']
export const streams = { max: 4, deadlineMs: 60_000 }

type Told = { id: string; event: string; data: { name?: string; status?: string } }

/** Replicas of purchase on a database of its own, and clients that watch. What a test opens is closed by `closeTest`. */
export async function openProgressReplicas() {
  await using opening = new AsyncDisposableStack()
  const database = opening.adopt(await createTestDatabase('purchase'), (open) => open.close())
  const repository = opening.adopt(
    await connectRepository({ DATABASE_URL: database.url, DATABASE_POOL_SIZE: 4 }),
    (open) => open.close(),
  )
  let resources = new AsyncDisposableStack()

  /** A replica of the service; those of one prefix share their keys. */
  async function createReplica({
    nodes,
    prefix = uniqueName(),
    limits = streams,
  }: {
    nodes?: string[]
    prefix?: string
    limits?: typeof streams
  } = {}) {
    const test = resources.adopt(await connectTestRedis(nodes), (open) => open.close())
    let queries = 0
    const counting = {
      findMany(ids: string[]) {
        queries += 1
        return repository.findMany(ids)
      },
    }
    const feed = resources.adopt(
      createProgressFeed({ ...test, repository: counting, prefix }),
      (open) => open.close(),
    )
    const service = createPurchaseService({
      ...serviceDefaults(),
      repository,
      feed,
      products: {} as never,
      sagas: {} as never,
      publish: async () => undefined,
    })
    const http = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      logger: pino({ level: 'silent' }),
      metrics: createMetrics('purchase'),
      health: {},
      streams: limits,
      routes: purchaseRoutes,
      handlers: createHandlers(service),
      authenticate: createAuthentication(testTokens.config),
      sessions: testSessions(),
    })
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= http.close()
      return closing
    }
    resources.defer(close)
    const url = `http://127.0.0.1:${http.port}/api/v1/purchases`
    return { ...service, test, prefix, url, close, queries: () => queries }
  }

  /** A purchase that nobody has begun. */
  async function accept(): Promise<Bought> {
    const accepted = buildPurchase()
    await storeAccepted(repository, [accepted])
    return { id: accepted.purchase_id, customerId: accepted.customer_id }
  }

  /** Listens as a browser would; `told` grows. */
  async function listen(
    { url }: { url: string },
    { id, customerId }: Bought,
    lastEventId?: number | string,
  ) {
    const leaving = new AbortController()
    resources.defer(() => leaving.abort())
    const response = await fetch(`${url}/${id}/events`, {
      signal: leaving.signal,
      headers: {
        authorization: `Bearer ${testTokens.tokenFor(customerId)}`,
        ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
      },
    })
    const told: Told[] = []
    async function read() {
      let text = ''
      for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += piece
        const whole = text.split('\n\n')
        text = whole.pop() ?? ''
        for (const one of whole.filter((lines) => !lines.startsWith(':'))) {
          const [, id = '', event = '', data = ''] =
            /^id: ([\d-]+)\nevent: (\w+)\ndata: (.*)$/.exec(one) ?? []
          told.push({ id, event, data: JSON.parse(data) })
        }
      }
    }
    const reading = response.status === 200 ? read().catch(() => undefined) : undefined
    return {
      response,
      told,
      /** The sequences of the events, each the last of those that its id names. */
      ids: () => told.map(({ id }) => Number(id.split('-').at(-1))),
      leave: () => leaving.abort(),
      /** That the server ends it, soon. */
      ended: () => reading,
    }
  }

  const opened = opening.move()
  return {
    repository,
    createReplica,
    accept,
    listen,

    /** Closes what the test has opened. */
    async closeTest(): Promise<void> {
      await resources.disposeAsync()
      resources = new AsyncDisposableStack()
    },

    /** For what a test opens by itself. */
    defer: (close: () => void | Promise<void>) => resources.defer(close),

    close: () => opened.disposeAsync(),
  }
}

export type ProgressReplicas = Awaited<ReturnType<typeof openProgressReplicas>>
export type Replica = Awaited<ReturnType<ProgressReplicas['createReplica']>>

/** Stores that a step is done. */
export const step = (replica: Replica, { id }: Bought, command: CommandName) =>
  replica.progress.addStep({
    purchaseId: id,
    sequence: commands[command].sequence,
    name: commands[command].step,
    outcome: 'done',
    reason: null,
    at: new Date(),
  })

/** Stores the end of a purchase. */
export const end = (
  replica: Replica,
  { id, customerId }: Bought,
  status: TerminalStatus = 'COMPLETED',
  reason: string | null = null,
  failed_step: string | null = null,
) => replica.progress.end({ purchase_id: id, customer_id: customerId, status, reason, failed_step })

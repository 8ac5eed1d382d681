import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import cors from 'cors'
import express, { type RequestHandler } from 'express'
import helmet from 'helmet'
import type { Routes } from '../contracts/route.ts'
import { AppError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { cutUnreadBody } from './admission/bodies.ts'
import { closeListener, trackConnections } from './drain.ts'
import { type HealthChecks, mountOperations } from './operations.ts'
import { createPipeline, type PipelineOptions } from './pipeline.ts'
import { answerProblem, answerUnreadable } from './problem.ts'
import { mountLogging } from './request-log.ts'

/**
 * Longer than Traefik keeps a connection that it does not use (90 s), so that none is closed under a request. The
 * headers' deadline too: Node counts it from the connection on, and Traefik opens some that it uses later.
 */
const keepAliveMs = 95_000
/** Of a whole request. Longer than an upload may take, which has a deadline of its own. */
const requestMs = 300_000
const connectionsCheckMs = 5_000
const maxConnections = 10_000
/** Then its client opens another: one that finds replicas by name, as Traefik does, finds new ones under steady load, too. */
const maxRequestsPerConnection = 1_000

/** How long uploads may go on when the server closes, and how long anything may. */
const uploadsDrainMs = 6_000
const drainMs = 8_000
const drainPollMs = 50

export type HttpServerOptions<T extends Routes> = PipelineOptions<T> & {
  host: string
  port: number
  logger: Logger
  health: HealthChecks
  /** What is served beside the routes, such as the API's document and the front end. */
  pages?: RequestHandler[]
  /** Origins whose pages may call the API. None by default. */
  corsOrigins?: string[]
  /** How long a closing server continues to serve while `/health/ready` answers 503, so that balancers leave first. */
  drainNoticeMs?: number
}

/** Starts a service's HTTP side: its routes, problem JSON, health and metrics. Port 0 takes a free one. */
export async function startHttpServer<T extends Routes>(options: HttpServerOptions<T>) {
  const pipeline = createPipeline(options)
  let draining = false
  let closing = false
  const health = () => ({ ...options.health, requests: () => !draining && !pipeline.stuck() })
  const app = express()
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  // Traefik is the one proxy in front: what it wrote last into X-Forwarded-For is the client.
  app.set('trust proxy', 1)
  // No client uses one here, and with it each answer is hashed and written in two pieces.
  app.set('etag', false)
  app.use((_request, response, next) => {
    if (closing) response.set('Connection', 'close')
    next()
  })
  mountOperations(app, { ...options, health })
  mountLogging(app, options.logger, () => {
    app.use(helmet())
    if (options.corsOrigins?.length) app.use(allowOrigins(options.corsOrigins))
    app.use((request, response, next) => {
      cutUnreadBody(request, response)
      next()
    })
    pipeline.mount(app)
    if (options.pages?.length) app.use(options.pages)
    app.use(() => {
      throw new AppError('not_found', 'no such path or method')
    })
  })
  app.use(answerProblem)

  const server = createServer(
    {
      keepAliveTimeout: keepAliveMs,
      headersTimeout: keepAliveMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: connectionsCheckMs,
    },
    app,
  )
  server.maxConnections = maxConnections
  server.maxRequestsPerSocket = maxRequestsPerConnection
  answerUnreadable(server)
  const connections = trackConnections(server)
  await listen(server, options)

  return {
    port: (server.address() as AddressInfo).port,
    /**
     * Drains: not ready, so that balancers leave; serves on while uploads end; then takes no connection any more, closes
     * each after its next answer, and lets running requests end. Takes 8 s at most. Connections are kept until no other
     * is taken: a client that had to open many then would lose one to the close.
     */
    async close() {
      const startedAt = performance.now()
      const elapsed = () => performance.now() - startedAt
      draining = true
      pipeline.drain()
      const noticed = () => elapsed() > (options.drainNoticeMs ?? 0) || connections.size === 0
      while (!noticed() || (pipeline.uploads() > 0 && elapsed() < uploadsDrainMs)) {
        await sleep(drainPollMs)
      }
      await closeListener(server, connections, {
        onClosed() {
          closing = true
        },
        overdue: () => elapsed() > drainMs,
      })
    },
  }
}

async function listen(server: Server, { host, port }: { host: string; port: number }) {
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
    server.listen(port, host)
  })
}

/** Without cookies: a page of an origin that is allowed sends its token itself. */
function allowOrigins(origins: string[]): RequestHandler {
  return cors({
    origin: origins,
    // What a path takes is answered where all other OPTIONS are.
    preflightContinue: true,
    allowedHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-Match',
      'Last-Event-ID',
    ],
    exposedHeaders: ['ETag', 'Location', 'Retry-After'],
    maxAge: 600,
  })
}

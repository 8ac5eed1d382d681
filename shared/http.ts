import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import helmet from 'helmet'
import { pinoHttp, startTime } from 'pino-http'
import type { z } from 'zod'
import { AppError, invalid, type Problem, toProblem } from './errors.ts'
import { createEventStreams, type EventStream, type EventStreamLimits } from './event-streams.ts'
import { isDatabaseAway } from './faults.ts'
import { type LoadLimits, shedLoad } from './load-shedding.ts'
import { createLobby } from './lobby.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import { boundaryOf, withForm } from './multipart.ts'
import type { LimitName, RateLimits } from './rate-limits.ts'
import { apiPrefix, type Handlers, type Route, type Routes } from './route.ts'

const bodyLimit = '100kb'
/**
 * Longer than Traefik keeps a connection that it does not use (90 s), so that none is closed under a request. And a
 * crowd finds connections: Node takes one new one in each turn of its event loop, so many at once wait for seconds.
 */
const keepAliveMs = 95_000

/** Checks by name; one that throws or answers false makes `/health/ready` answer 503 and says which. */
export type HealthChecks = Record<string, () => Promise<boolean> | boolean>

export type HttpServerOptions<T extends Routes> = LoadLimits & {
  host: string
  port: number
  logger: Logger
  metrics: Metrics
  health: HealthChecks
  routes: T
  handlers: Handlers<T>
  /** Needed as soon as one route has `auth`. */
  authenticate?: RequestHandler
  /** Needed as soon as one route is for operators. */
  authenticateOperator?: RequestHandler
  /** Without them no route has a limit. */
  limits?: RateLimits
  /** For routes with `multipart`. */
  maxFiles?: number
  /** What is served beside the routes, such as the API's document. */
  pages?: RequestHandler
  /** For routes with `stream`. */
  streams?: EventStreamLimits
}

/** Starts a service's HTTP side: its routes, problem JSON, health and metrics. Port 0 takes a free one. */
export async function startHttpServer<T extends Routes>(options: HttpServerOptions<T>) {
  const app = express()
  const streams = createEventStreams(options.streams)
  const lobby = createLobby()
  const log = pinoHttp({ logger: options.logger, customLogLevel: logLevel })
  const logsAll = options.logger.isLevelEnabled('debug')
  app.disable('x-powered-by')
  app.set('query parser', 'simple')
  // Traefik is the one proxy in front: what it wrote last into X-Forwarded-For is the client.
  app.set('trust proxy', 1)
  // Nobody asks for one here, and with it each answer is hashed and written in two pieces.
  app.set('etag', false)
  mountOperations(app, options)
  app.use(shedLoad({ ...options, lobby }))
  app.use(logsAll ? log : noteStart)
  app.use(helmet())
  app.use(express.json({ limit: bodyLimit, strict: true, type: isJson }))
  for (const [name, route] of Object.entries(options.routes)) {
    const handle = options.handlers[name] as (input: unknown) => Promise<unknown>
    app[route.method](
      apiPrefix + route.path,
      ...middleware(route, options),
      async (request, response) => {
        const { caller, operator } = request
        const input = { ...parse(route, request), caller, operator }
        if (route.stream) {
          const connect = (signal: AbortSignal) =>
            handle({ ...input, signal }) as Promise<EventStream<unknown>>
          await streams.answer(response, (data) => route.response.parse(data), connect)
          return
        }
        const result = route.multipart
          ? await withForm(request, route.multipart, options, (form) => handle({ ...input, form }))
          : await handle(input)
        response.status(route.status).json(route.response.parse(result))
      },
    )
  }
  if (options.pages) app.use(options.pages)
  app.use(() => {
    throw new AppError('not_found', 'no such path or method')
  })
  if (!logsAll) app.use(logFailure(log))
  app.use(answerProblem)

  const server = app.listen(options.port, options.host)
  server.keepAliveTimeout = keepAliveMs
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    lobby.connected()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', reject)
  })
  return {
    port: (server.address() as AddressInfo).port,
    /** Lets running requests end, but for streams; idle keep-alive connections are closed at once. */
    async close() {
      streams.close()
      const closed = new Promise((resolve) => server.close(resolve))
      // The connection of a running request becomes idle later, and one that never had a request does not count as idle.
      const closingIdle = setInterval(() => {
        server.closeIdleConnections()
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      }, 50)
      await closed
      clearInterval(closingIdle)
    },
  }
}

/** A form is read by its route, even when it is declared to be JSON. */
function isJson(request: IncomingMessage): boolean {
  return boundaryOf(request) === undefined && Boolean((request as Request).is('json'))
}

function middleware<T extends Routes>(
  route: Route,
  options: HttpServerOptions<T>,
): RequestHandler[] {
  const measure: RequestHandler = (request, response, next) => {
    const end = options.metrics.httpSeconds.startTimer({
      method: request.method,
      route: route.path,
    })
    response.on('close', () => end({ status: response.statusCode }))
    next()
  }
  const steps = [measure]
  if (route.auth) {
    const { authenticate, authenticateOperator } = options
    const authentication = route.auth === 'operator' ? authenticateOperator : authenticate
    if (!authentication) throw new Error(`route ${route.path} needs authentication`)
    steps.push(authentication)
  }
  if (route.limit && options.limits) steps.push(limitRequests(options.limits, route.limit))
  return steps
}

function limitRequests(limits: RateLimits, name: LimitName): RequestHandler {
  return async (request, _response, next) => {
    const { email } = (request.body ?? {}) as { email?: unknown }
    await limits.consume(name, {
      ip: request.ip ?? '',
      account: request.caller?.accountId ?? '',
      email: typeof email === 'string' ? email.trim().toLowerCase() : '',
    })
    next()
  }
}

function mountOperations<T extends Routes>(
  app: express.Express,
  { health, metrics }: HttpServerOptions<T>,
) {
  app.get('/health/live', (_request, response) => {
    response.json({ status: 'live' })
  })
  app.get('/health/ready', async (_request, response) => {
    const checks = await runChecks(health)
    const ready = Object.values(checks).every((ok) => ok)
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready', checks })
  })
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
}

const healthDeadlineMs = 2_000

async function runChecks(health: HealthChecks): Promise<Record<string, boolean>> {
  const results = Object.entries(health).map(async ([name, check]) => {
    const late = new Promise<boolean>((resolve) => {
      setTimeout(resolve, healthDeadlineMs, false).unref()
    })
    const ok = Promise.resolve()
      .then(check)
      .catch(() => false)
    return [name, await Promise.race([ok, late])] as const
  })
  return Object.fromEntries(await Promise.all(results))
}

function pick(headers: Record<string, unknown>, schema: z.ZodObject | undefined) {
  if (!schema) return {}
  return Object.fromEntries(Object.keys(schema.shape).map((name) => [name, headers[name]]))
}

/** Every part that the route has, or one AppError that names all that is wrong with all of them. */
function parse(route: Route, request: Request) {
  const sent = {
    params: request.params,
    query: request.query,
    headers: pick(request.headers, route.headers),
    body: request.body ?? {},
  }
  const issues: z.core.$ZodIssue[] = []
  const parsed = Object.entries(sent).map(([part, value]) => {
    const result = route[part as keyof typeof sent]?.safeParse(value)
    if (result?.error) issues.push(...result.error.issues)
    return [part, result?.data]
  })
  if (issues.length > 0) throw invalid(issues)
  return Object.fromEntries(parsed) as Record<keyof typeof sent, unknown>
}

/** For requests that are only logged when they fail: describing each one beforehand costs as much as parsing it. */
const noteStart: RequestHandler = (_request, response, next) => {
  response[startTime] = Date.now()
  next()
}

function logFailure(log: (request: Request, response: Response) => void): ErrorRequestHandler {
  return (error, request, response, next) => {
    log(request, response)
    next(error)
  }
}

function logLevel(_request: unknown, response: { statusCode: number }, error?: Error) {
  if (error || response.statusCode >= 500) return 'error'
  return response.statusCode >= 400 ? 'info' : 'debug'
}

/** What express, its body parser and the database throw, in our terms. */
function normalize(error: unknown): unknown {
  const { type, status } = error as { type?: string; status?: number }
  if (type === 'entity.parse.failed') return new AppError('invalid', 'the body is not valid JSON')
  if (type === 'entity.too.large') return new AppError('too_large', `the limit is ${bodyLimit}`)
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new AppError('invalid', 'the request cannot be read', { cause: error })
  }
  if (isDatabaseAway(error)) {
    return new AppError('unavailable', 'the database does not answer', { cause: error })
  }
  return error
}

const answerProblem: ErrorRequestHandler = (thrown, request, response, next) => {
  if (response.headersSent) {
    next(thrown)
    return
  }
  const error = normalize(thrown)
  const problem: Problem = { ...toProblem(error), instance: request.path }
  // pino-http writes the request's one log line, with this error in it.
  if (problem.status >= 500) response.err = error as Error
  if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer')
  if (problem.status === 503) response.set('Retry-After', '1')
  if (error instanceof AppError && error.retryAfterSeconds !== undefined) {
    response.set('Retry-After', String(error.retryAfterSeconds))
  }
  response.status(problem.status).type('application/problem+json').json(problem)
}

import type { Express, Request, RequestHandler, Response } from 'express'
import { Gauge } from 'prom-client'
import { Email } from '../contracts/email.ts'
import { apiPrefix, type LimitName, type Route, type Routes } from '../contracts/route.ts'
import { AppError } from '../runtime/errors.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { tracing } from '../runtime/tracing.ts'
import { createBodyReader } from './admission/bodies.ts'
import { clientOf } from './admission/client.ts'
import { networkOf } from './admission/network.ts'
import { createPlaces } from './admission/places.ts'
import type { RateFloor } from './admission/rate-floor.ts'
import { createRequestTurns, type TurnLimits } from './admission/turns.ts'
import { assertRole, type Sessions } from './auth.ts'
import { inputOf } from './input.ts'
import { boundaryOf, withForm } from './multipart.ts'
import type { OperatorSessions } from './operator-sessions.ts'
import { type AwaitEnd, createWaits } from './prefer-wait.ts'
import type { RateLimits } from './rate-limits.ts'
import type { Handlers } from './route.ts'
import { send } from './send.ts'
import { refuseOtherOrigins, type SessionCookies, setSessionCookies } from './session-cookies.ts'
import { createEventStreams, type EventStream, type EventStreamLimits } from './sse.ts'

export type PipelineOptions<T extends Routes> = TurnLimits & {
  metrics: Metrics
  routes: T
  handlers: Handlers<T>
  /** Needed as soon as one route has `auth`. */
  authenticate?: RequestHandler
  /** Needed as soon as one route with `auth` writes. */
  sessions?: Sessions
  /** Needed as soon as one route is for operators. */
  authenticateOperator?: RequestHandler
  /** For routes with `operatorSession`. */
  operatorSessions?: OperatorSessions
  /** Without them no route has a limit. */
  limits?: RateLimits
  /** For routes with `multipart`. */
  maxFiles?: number
  rateFloor?: RateFloor
  /** For routes with `body`. */
  bodyRateFloor?: RateFloor
  /** For routes with `ended`. */
  awaitEnd?: AwaitEnd
  /** For routes with `cookies`: whether browsers reach the shop by https. */
  secureCookies?: boolean
  /** For routes with `stream`. */
  streams?: EventStreamLimits
}

/** Forms that arrive at once, their files or not yet; a service bounds how many of them it works on. */
const maxForms = 64

type Handle = (input: unknown) => Promise<unknown>

/**
 * The stages of every request to a route, in this order; docs/admission.md lists what each can refuse. A turn is
 * taken only when the work can begin, and given back when the handler is done, however slowly the client reads.
 */
export function createPipeline<T extends Routes>(options: PipelineOptions<T>) {
  const { metrics } = options
  const bodies = createBodyReader(metrics, options.bodyRateFloor)
  const turns = createRequestTurns({ ...options, refused: metrics.httpShed.labels('turns') })
  const waits = createWaits(metrics.httpShed)
  const streams = createEventStreams(options.streams, metrics.httpShed)
  const forms = createPlaces({
    what: 'forms',
    max: maxForms,
    perClient: maxForms / 4,
    refused: metrics.httpShed.labels('forms'),
  })
  let draining = false
  new Gauge({
    name: 'http_requests_in_flight',
    help: 'Requests by what they do: their body arrives, they wait for their turn, they are handled, they stream, they wait for an end',
    labelNames: ['stage'],
    registers: [metrics.registry],
    collect() {
      const { running, waiting } = turns.counts()
      this.set({ stage: 'body' }, bodies.arriving())
      this.set({ stage: 'waiting' }, waiting)
      this.set({ stage: 'running' }, running)
      this.set({ stage: 'stream' }, streams.open())
      this.set({ stage: 'upload' }, forms.taken())
      this.set({ stage: 'end' }, waits.waiting())
    },
  })

  async function serve(route: Route, handle: Handle, request: Request, response: Response) {
    measure(metrics, route, request, response)
    request.isStream = route.stream === true
    if (route.auth) await authenticate(route.auth, options, request, response)
    if (route.multipart) await upload(route, handle, request, response)
    else if (route.stream) await stream(route, handle, request, response)
    else await answer(route, handle, request, response)
  }

  async function answer(route: Route, handle: Handle, request: Request, response: Response) {
    if (route.cookies) refuseOtherOrigins(request)
    const client = clientOf(request)
    if (route.body) await bodies.read(request, response, client, route.raw)
    const { input, result } = await work(route, handle, request, response, client)
    if (route.cookies) {
      const { answer, cookies } = result as { answer: unknown; cookies: SessionCookies | null }
      setSessionCookies(response, cookies, options.secureCookies ?? false)
      send(route, request, response, answer)
      return
    }
    const awaitEnd = route.ended && options.awaitEnd
    const end =
      awaitEnd && (await waits.end(request, response, (signal) => awaitEnd(result, input, signal)))
    if (end === undefined) send(route, request, response, result)
    else
      send(
        { ...route, status: 200, response: route.ended ?? route.response },
        request,
        response,
        end,
      )
  }

  /** What holds a turn: the session, the limits that ask Redis, and the handler. */
  async function work(
    route: Route,
    handle: Handle,
    request: Request,
    response: Response,
    client: string,
  ) {
    using _turn = await turns.take(client, response)
    await checkSession(route, options.sessions, request)
    await limit(route.limit, options.limits, request, response)
    if (route.operatorSession) options.operatorSessions?.[route.operatorSession](request, response)
    const input = inputOf(route, request)
    return { input, result: await handle(input) }
  }

  /** Its body is read by its handler, file by file; the service bounds how many uploads there are. */
  async function upload(route: Route, handle: Handle, request: Request, response: Response) {
    if (!route.multipart) return
    refuseWhileDraining()
    if (boundaryOf(request) === undefined) {
      throw new AppError('unsupported_media_type', 'the body must be multipart/form-data')
    }
    using _form = forms.take(clientOf(request))
    await checkSession(route, options.sessions, request)
    await limit(route.limit, options.limits, request, response)
    const input = inputOf(route, request)
    const work = (form: unknown) => handle({ ...input, form })
    const result = await withForm(request, route.multipart, options, work)
    send(route, request, response, result)
  }

  async function stream(route: Route, handle: Handle, request: Request, response: Response) {
    refuseWhileDraining()
    await limit(route.limit, options.limits, request, response)
    const input = inputOf(route, request)
    await streams.answer({
      request,
      response,
      client: clientOf(request),
      parse: (data) => route.response.parse(data),
      connect: (signal) => handle({ ...input, signal }) as Promise<EventStream<unknown>>,
    })
  }

  function refuseWhileDraining(): void {
    if (draining) throw new AppError('unavailable', 'this replica is being restarted; try again')
  }

  return {
    /** Mounts the routes, and what answers other methods on their paths. */
    mount(app: Express): void {
      for (const [name, route] of Object.entries(options.routes)) {
        assertAuthentication(route, options)
        const handle = options.handlers[name] as Handle
        app[route.method](apiPrefix + route.path, (request, response) =>
          serve(route, handle, request, response),
        )
      }
      app.use(answerOtherMethods(options.routes))
    },

    /** Takes no more uploads and streams, which are long, and ends the streams that are open. */
    drain(): void {
      draining = true
      streams.close()
      waits.close()
    },

    uploads: forms.taken,
    stuck: turns.stuck,
  }
}

function assertAuthentication<T extends Routes>(route: Route, options: PipelineOptions<T>): void {
  if (route.auth && !authenticationFor(route.auth, options)) {
    throw new Error(`route ${route.path} needs authentication`)
  }
  if (route.auth === true && isWrite(route) && !options.sessions) {
    throw new Error(`route ${route.path} needs sessions`)
  }
}

function authenticationFor<T extends Routes>(
  auth: true | 'operator',
  { authenticate, authenticateOperator }: PipelineOptions<T>,
): RequestHandler | undefined {
  return auth === 'operator' ? authenticateOperator : authenticate
}

function authenticate<T extends Routes>(
  auth: true | 'operator',
  options: PipelineOptions<T>,
  request: Request,
  response: Response,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: unknown) => (error ? reject(error) : resolve())
    Promise.resolve(authenticationFor(auth, options)?.(request, response, done)).catch(reject)
  })
}

/** Whether it may change something. */
const isWrite = ({ method }: Route) => method !== 'get'

/**
 * A write needs a session that has not ended, which the token does not show. It is asked for in the request's turn, so
 * account gets no more questions than there are turns. Throws AppErrors: `unauthorized`, or `unavailable`.
 */
async function checkSession(
  route: Route,
  sessions: Sessions | undefined,
  request: Request,
): Promise<void> {
  if (!request.caller) return
  if (isWrite(route)) {
    request.caller = { ...request.caller, ...(await sessions?.check(request.caller)) }
  }
  // After the session, with which account answers the roles of this moment.
  if (route.role) assertRole(request.caller, route.role)
}

function measure(metrics: Metrics, route: Route, request: Request, response: Response): void {
  tracing()?.name(`${request.method} ${apiPrefix}${route.path}`)
  const end = metrics.httpSeconds.startTimer({ method: request.method, route: route.path })
  response.once('close', () => end({ status: response.statusCode }))
}

async function limit(
  name: LimitName | undefined,
  limits: RateLimits | undefined,
  request: Request,
  response: Response,
): Promise<void> {
  if (!name || !limits) return
  const { email } = (request.body ?? {}) as { email?: unknown }
  const settle = await limits.consume(name, {
    ip: networkOf(request.ip ?? ''),
    account: request.caller?.accountId ?? '',
    // Two spellings of one mailbox have one limit.
    email: typeof email === 'string' ? (Email.safeParse(email).data ?? email.trim()) : '',
  })
  // Not when the client is gone: what was not answered counts as failed.
  response.once('finish', () => settle(response.statusCode))
}

/** Answers OPTIONS, and refuses what no route of the path takes. */
function answerOtherMethods(routes: Routes): RequestHandler {
  const paths = Object.values(routes).map(({ method, path }) => ({
    methods: method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()],
    path: new RegExp(`^${apiPrefix}${path.replaceAll(/:\w+/g, '[^/]+')}/?$`, 'i'),
  }))
  return (request, response, next) => {
    const methods = paths
      .filter(({ path }) => path.test(request.path))
      .flatMap((one) => one.methods)
    if (methods.length === 0) {
      next()
      return
    }
    response.set('Allow', [...new Set([...methods, 'OPTIONS'])].join(', '))
    if (request.method === 'OPTIONS') response.status(204).end()
    else throw new AppError('method_not_allowed', `this path has no ${request.method}`)
  }
}

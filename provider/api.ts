import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../shared/runtime/logger.ts'
import { ApiError, brokenApi, invalidRequest } from './errors.ts'
import { type Call, conflict, type Faults, rateLimited, Settings } from './faults.ts'
import { readForm } from './form.ts'
import { type Ledger, newProviderId } from './ledger.ts'
import type { Payments, Result } from './payments.ts'

const maxBodyBytes = 64 * 1024
const maxKeyLength = 255

type Route = {
  method: string
  path: RegExp
  call: Call
  run: (params: unknown, id: string) => Result
}
type Answer = { status: number; body: string; headers?: Record<string, string>; lost?: boolean }

function routesOf(payments: Payments): Route[] {
  const intents = '/v1/payment_intents'
  const { createIntent, confirm, cancel, refund, retrieve, list, listRefunds } = payments
  return [
    { method: 'POST', path: new RegExp(`^${intents}$`), call: 'create', run: createIntent },
    { method: 'GET', path: new RegExp(`^${intents}$`), call: 'list', run: list },
    { method: 'GET', path: new RegExp(`^${intents}/(\\w+)$`), call: 'retrieve', run: retrieve },
    {
      method: 'POST',
      path: new RegExp(`^${intents}/(\\w+)/confirm$`),
      call: 'confirm',
      run: confirm,
    },
    { method: 'POST', path: new RegExp(`^${intents}/(\\w+)/cancel$`), call: 'cancel', run: cancel },
    { method: 'POST', path: /^\/v1\/refunds$/, call: 'refund', run: refund },
    { method: 'GET', path: /^\/v1\/refunds$/, call: 'list', run: listRefunds },
  ]
}

/** The HTTP side of the simulator: Stripe's authentication, idempotency and errors around the payments. */
export function createApi({
  payments,
  ledger,
  faults,
  keys,
  changed,
  logger,
}: {
  payments: Payments
  ledger: Ledger
  faults: Faults
  keys: string[]
  /** Called after each call that may have left events. */
  changed: () => void
  logger: Logger
}) {
  const routes = routesOf(payments)
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = keys.map((key) => digest(`Bearer ${key}`))
  const running = new Set<string>()

  /** Decides and stores the answer of an idempotency key in one transaction. */
  function decide(route: Route, params: unknown, id: string, idempotency: Idempotency): Answer {
    return ledger.transaction(() => {
      const answer = answerOf(() => route.run(params, id))
      // What was refused before anything was done may be sent again under its key, as with Stripe.
      if (idempotency.key !== undefined && answer.kept) {
        const { fingerprint, key } = idempotency
        ledger.storeAnswer(key, { fingerprint, status: answer.status, body: answer.body })
      }
      return answer
    })
  }

  async function handle(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const given = digest(request.headers.authorization ?? '')
    if (!expected.some((each) => timingSafeEqual(given, each))) {
      throw invalidRequest('Invalid API Key provided.', {}, 401)
    }
    const url = new URL(request.url ?? '/', 'http://provider')
    if (url.pathname === '/simulator') return control(request)
    const route = routes.find(
      ({ method, path }) => method === request.method && path.test(url.pathname),
    )
    if (!route) {
      throw invalidRequest(
        `Unrecognized request URL (${request.method}: ${url.pathname}).`,
        {},
        404,
      )
    }
    const [, id = ''] = route.path.exec(url.pathname) ?? []
    const text = request.method === 'POST' ? await readBody(request) : url.search.slice(1)
    const fault = faults.ofCall(route.call)
    if (fault?.call === 'rate_limit') throw rateLimited()
    if (fault?.call === 'conflict') throw conflict()
    if (fault?.call === 'error_before') throw brokenApi()

    const idempotency = idempotencyOf(request, url.pathname, text)
    // Before the stored answer: it is stored before the first call is answered.
    if (idempotency.key !== undefined && running.has(idempotency.key)) throw conflict()
    const stored = idempotency.key === undefined ? undefined : ledger.findAnswer(idempotency.key)
    if (stored) {
      if (stored.fingerprint !== idempotency.fingerprint) {
        throw new ApiError(400, {
          type: 'idempotency_error',
          message: 'Keys for idempotent requests can only be used with the same parameters.',
        })
      }
      return { ...stored, headers: { 'Idempotent-Replayed': 'true' } }
    }
    if (idempotency.key !== undefined) running.add(idempotency.key)
    try {
      const answer = decide(route, readForm(text), id, idempotency)
      changed()
      if (fault?.call === 'slow') await sleep(fault.ms, undefined, { signal })
      if (fault?.call === 'error_after') throw brokenApi()
      return answer
    } finally {
      if (idempotency.key !== undefined) running.delete(idempotency.key)
    }
  }

  /** Not of Stripe's API: sets and shows what goes wrong on demand. */
  async function control(request: IncomingMessage): Promise<Answer> {
    if (request.method === 'POST') {
      const settings = Settings.safeParse(JSON.parse(await readBody(request)))
      if (!settings.success) throw invalidRequest(settings.error.message)
      faults.set(settings.data)
    }
    return { status: 200, body: JSON.stringify({ made: faults.counts() }) }
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    let answer: Answer
    try {
      answer = await handle(request, gone.signal)
    } catch (error) {
      if (gone.signal.aborted) return
      if (!(error instanceof ApiError)) logger.error({ err: error }, 'call failed')
      answer = errorAnswer(error instanceof ApiError ? error : brokenApi())
    }
    // The client waits until its own deadline, as after a lost packet.
    if (answer.lost) return
    const headers = { 'Content-Type': 'application/json', 'Request-Id': newProviderId('req') }
    response.writeHead(answer.status, { ...headers, ...answer.headers }).end(answer.body)
  }
}

type Idempotency = { key: string | undefined; fingerprint: string }

function idempotencyOf(request: IncomingMessage, path: string, text: string): Idempotency {
  const header = request.method === 'POST' ? request.headers['idempotency-key'] : undefined
  const key = Array.isArray(header) ? header[0] : header
  if (key !== undefined && key.length > maxKeyLength) {
    throw invalidRequest(`Idempotency keys are at most ${maxKeyLength} characters.`)
  }
  return { key, fingerprint: createHash('sha256').update(`${path}\n${text}`).digest('base64') }
}

function answerOf(run: () => Result): Answer & { kept: boolean } {
  try {
    const { answer, lost = false } = run()
    return { status: 200, body: JSON.stringify(answer), lost, kept: true }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { ...errorAnswer(error), kept: error.kept }
  }
}

function errorAnswer({ status, body, headers }: ApiError): Answer {
  return { status, body: JSON.stringify({ error: body }), headers }
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) {
    text += chunk
    if (text.length > maxBodyBytes) throw invalidRequest('The request is too large.', {}, 413)
  }
  return text
}

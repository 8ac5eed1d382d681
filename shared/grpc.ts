import {
  type ChannelOptions,
  type ClientOptions,
  credentials,
  type handleUnaryCall,
  loadPackageDefinition,
  Metadata,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createBreaker } from './breaker.ts'
import type { PurchaseAccepted } from './contracts/events.ts'
import { fromGrpcError, toGrpcError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

/** Request and response of one unary call, as the .proto file says. */
type Call = { request: object; response: object }

/** The services that exist: `.proto` file, full name (also Traefik's routing header), and their calls. */
export type GrpcServices = {
  auth: {
    Authenticate: {
      request: { access_token: string }
      response: { account_id: string; email_verified: boolean }
    }
  }
  product: {
    CheckProducts: {
      request: { lines: { product_id: string; quantity: number }[] }
      response: { checks: { product_id: string; exists: boolean; in_stock: boolean }[] }
    }
    GetProducts: {
      request: { product_ids: string[] }
      response: { products: { id: string; account_id: string; name: string; price: number }[] }
    }
  }
  media: {
    ListByProducts: {
      request: { product_ids: string[] }
      response: { media: MediaMessage[] }
    }
  }
  purchase: {
    CancelWished: {
      request: { purchase_ids: string[] }
      response: { wished: string[] }
    }
  }
  saga: {
    Cancel: {
      request: PurchaseAccepted
      response: { verdict: string }
    }
  }
}

/** As on the wire, where what a video does not have is empty or 0. */
type MediaMessage = {
  id: string
  product_id: string
  kind: string
  content_type: string
  url: string
  thumbnail_url: string
  alt: string
  width: number
  height: number
}

const fullNames: Record<keyof GrpcServices, string> = {
  auth: 'auth.AuthService',
  product: 'product.ProductService',
  media: 'media.MediaService',
  purchase: 'purchase.PurchaseService',
  saga: 'saga.SagaService',
}

const callDeadlineMs = 2_000
const restMs = 1_000
/** So that one lost call or a restart, which retries bridge, does not refuse everybody for a second. */
const failuresToRest = 5
/** What says that nobody answers, and not that the answer is no. */
const away = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED])

/** Every call is safe to repeat; a replica that goes away is retried on another. */
const retryUnavailable = JSON.stringify({
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: '0.05s',
        maxBackoff: '0.5s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
})

function definitionOf(name: keyof GrpcServices): ServiceDefinition {
  const file = new URL(`./proto/${name}.proto`, import.meta.url).pathname
  const loaded = loadSync(file, { keepCase: true, longs: Number, defaults: true, arrays: true })
  const [packageName = '', serviceName = ''] = fullNames[name].split('.')
  const packages = loadPackageDefinition(loaded) as unknown as Record<
    string,
    Record<string, { service: ServiceDefinition }>
  >
  const service = packages[packageName]?.[serviceName]?.service
  if (!service) throw new Error(`${fullNames[name]} is not in ${file}`)
  return service
}

/** A function per call of a service: a missing one does not compile. */
export type GrpcHandlers<N extends keyof GrpcServices> = {
  [M in keyof GrpcServices[N]]: GrpcServices[N][M] extends Call
    ? (request: GrpcServices[N][M]['request']) => Promise<GrpcServices[N][M]['response']>
    : never
}

/** Serves one gRPC service without TLS: only Traefik's internal entry point reaches it. Port 0 takes a free one. */
export async function startGrpcServer<N extends keyof GrpcServices>(options: {
  service: N
  host: string
  port: number
  logger: Logger
  handlers: GrpcHandlers<N>
  metrics?: Pick<Metrics, 'grpcCalls'>
  /** How many calls may be under way at once; what comes above it is refused. No limit by default. */
  maxInFlight?: number
}) {
  const { maxInFlight = Number.POSITIVE_INFINITY } = options
  let inFlight = 0
  const server = new Server({ 'grpc.max_connection_age_ms': 300_000 })
  const implementation: UntypedServiceImplementation = {}
  for (const [method, handle] of Object.entries(options.handlers)) {
    const unary: handleUnaryCall<object, object> = (call, callback) => {
      if (inFlight >= maxInFlight) {
        // Not UNAVAILABLE, which clients send again at once.
        callback({ code: status.RESOURCE_EXHAUSTED, details: 'too many calls are under way here' })
        return
      }
      inFlight += 1
      const answer = (handle as (request: object) => Promise<object>)(call.request)
      const counted = answer.finally(() => {
        inFlight -= 1
      })
      counted.then(
        (response) => {
          options.metrics?.grpcCalls.inc({ method, outcome: 'answered' })
          callback(null, response)
        },
        (error: unknown) => {
          options.metrics?.grpcCalls.inc({ method, outcome: 'failed' })
          const failure = toGrpcError(error)
          options.logger.info({ err: error, method, code: failure.code }, 'grpc call failed')
          callback(failure)
        },
      )
    }
    implementation[method] = unary
  }
  server.addService(definitionOf(options.service), implementation)
  const port = await new Promise<number>((resolve, reject) => {
    const address = `${options.host}:${options.port}`
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  return {
    port,
    /** Lets running calls end. */
    close: () => new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
  }
}

export type GrpcClient<N extends keyof GrpcServices> = GrpcHandlers<N> & { close(): void }

/**
 * Calls a service through Traefik, which balances each call. Every call has a deadline; failures are AppErrors. After
 * five calls in a row that nobody answered, the next fail at once for a second, so that callers do not pile up.
 */
export function connectGrpc<N extends keyof GrpcServices>(
  service: N,
  address: string,
  { deadlineMs = callDeadlineMs }: { deadlineMs?: number } = {},
): GrpcClient<N> {
  const definition = definitionOf(service)
  const Client = makeGenericClientConstructor(definition, service)
  const options: ChannelOptions & ClientOptions = {
    'grpc.keepalive_time_ms': 30_000,
    'grpc.service_config': retryUnavailable,
  }
  const client = new Client(address, credentials.createInsecure(), options)
  // The client's own deadline comes first: it also tells the server to stop.
  const breaker = createBreaker({ deadlineMs: deadlineMs + 500, restMs, failuresToRest })

  function ask(method: string, request: object): Promise<{ response: unknown } | { no: unknown }> {
    return new Promise((resolve, reject) => {
      const metadata = new Metadata()
      metadata.set('service-name', fullNames[service])
      const unary = client[method] as (...args: unknown[]) => unknown
      unary.call(
        client,
        request,
        metadata,
        { deadline: Date.now() + deadlineMs },
        (error: { code: status } | null, response: unknown) => {
          if (!error) resolve({ response })
          else if (away.has(error.code)) reject(error)
          else resolve({ no: error })
        },
      )
    })
  }

  const calls = Object.keys(definition).map((method) => {
    const call = async (request: object) => {
      const answer = await breaker
        .run(() => ask(method, request))
        .catch((error: unknown) => {
          throw fromGrpcError(error)
        })
      if ('no' in answer) throw fromGrpcError(answer.no)
      return answer.response
    }
    return [method, call]
  })
  return { ...Object.fromEntries(calls), close: () => client.close() }
}

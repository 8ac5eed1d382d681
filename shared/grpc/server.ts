import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { toGrpcError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { definitionOf, type GrpcHandlers, type GrpcServices } from './services.ts'

/** Serves one gRPC service without TLS: only Traefik's internal entry point reaches it. Port 0 takes a free one. */
export async function startGrpcServer<N extends keyof GrpcServices>(options: {
  service: N
  host: string
  port: number
  logger: Logger
  handlers: GrpcHandlers<N>
  metrics?: Pick<Metrics, 'grpcServerSeconds'>
  /** Limit on calls in flight at once; further calls are refused. No limit by default. */
  maxInFlight?: number
}) {
  const { maxInFlight = Number.POSITIVE_INFINITY } = options
  let inFlight = 0
  const server = new Server({ 'grpc.max_connection_age_ms': 300_000 })
  const implementation: UntypedServiceImplementation = {}
  const seconds = options.metrics?.grpcServerSeconds
  for (const [method, handle] of Object.entries(options.handlers)) {
    const unary: handleUnaryCall<object, object> = (call, callback) => {
      const end = seconds?.startTimer({ method })
      if (inFlight >= maxInFlight) {
        // Not UNAVAILABLE, which clients send again at once.
        end?.({ code: status[status.RESOURCE_EXHAUSTED] })
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
          end?.({ code: status[status.OK] })
          callback(null, response)
        },
        (error: unknown) => {
          const failure = toGrpcError(error)
          end?.({ code: status[failure.code] })
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

import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ChannelOptions,
  type ClientOptions,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  status,
} from '@grpc/grpc-js'
import { fromGrpcError } from '../runtime/errors.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { CircuitOpenError, createBreaker } from '../runtime/resilience.ts'
import { definitionOf, fullNames, type GrpcHandlers, type GrpcServices } from './services.ts'

const callDeadlineMs = 2_000
const openMs = 1_000
/** So that one lost call or a restart, which retries bridge, does not refuse everybody for a second. */
const failureThreshold = 5
/** The codes that mean that the service is unavailable, and not that it refused. */
const unavailable = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
])

/**
 * Every call is safe to repeat; a call to a replica that becomes unavailable is retried on another. Not by gRPC's own
 * retries: to them Traefik's 502 for a replica that is not there is the beginning of an answer, which is final.
 */
const retryPausesMs = [50, 100, 200]

/** What a service said; `no`: it refused. */
type Answer = { response: unknown } | { no: unknown }

export type GrpcClient<N extends keyof GrpcServices> = GrpcHandlers<N> & { close(): void }

/**
 * Calls a service through Traefik, which balances each call. Every call has a deadline; failures are AppErrors. After
 * five calls in a row without an answer, the next fail at once for a second, so that callers do not pile up.
 */
export function connectGrpc<N extends keyof GrpcServices>(
  service: N,
  address: string,
  {
    deadlineMs = callDeadlineMs,
    metrics,
  }: { deadlineMs?: number; metrics?: Pick<Metrics, 'grpcClientSeconds'> } = {},
): GrpcClient<N> {
  const definition = definitionOf(service)
  const Client = makeGenericClientConstructor(definition, service)
  const options: ChannelOptions & ClientOptions = {
    'grpc.keepalive_time_ms': 30_000,
    // Else there would be two kinds of retries.
    'grpc.enable_retries': 0,
  }
  const client = new Client(address, credentials.createInsecure(), options)
  // The client's own deadline comes first: it also makes the server stop.
  const breaker = createBreaker({ deadlineMs: deadlineMs + 500, openMs, failureThreshold })

  function askOnce(method: string, request: object, deadline: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const metadata = new Metadata()
      metadata.set('service-name', fullNames[service])
      const unary = client[method] as (...args: unknown[]) => unknown
      unary.call(
        client,
        request,
        metadata,
        { deadline },
        (error: { code: status } | null, response: unknown) => {
          if (!error) resolve({ response })
          else if (unavailable.has(error.code)) reject(error)
          else resolve({ no: error })
        },
      )
    })
  }

  async function ask(method: string, request: object): Promise<Answer> {
    const deadline = Date.now() + deadlineMs
    for (const pauseMs of retryPausesMs) {
      try {
        return await askOnce(method, request, deadline)
      } catch (error) {
        const isLate = Date.now() + pauseMs > deadline
        if ((error as { code: status }).code !== status.UNAVAILABLE || isLate) throw error
        await sleep(pauseMs)
      }
    }
    return askOnce(method, request, deadline)
  }

  const calls = Object.keys(definition).map((method) => {
    const call = async (request: object) => {
      const end = metrics?.grpcClientSeconds.startTimer({ target: service, method })
      const answer = await breaker
        .run(() => ask(method, request))
        .catch((error: unknown) => {
          end?.({ code: error instanceof CircuitOpenError ? 'circuit_open' : codeOf(error) })
          throw fromGrpcError(error)
        })
      end?.({ code: 'no' in answer ? codeOf(answer.no) : codeOf() })
      if ('no' in answer) throw fromGrpcError(answer.no)
      return answer.response
    }
    return [method, call]
  })
  return { ...Object.fromEntries(calls), close: () => client.close() }
}

/** The name of a call's status code. An error without one is the client's own deadline. */
function codeOf(error: unknown = { code: status.OK }): string {
  const { code = status.DEADLINE_EXCEEDED } = error as { code?: status }
  return status[code] ?? 'UNKNOWN'
}

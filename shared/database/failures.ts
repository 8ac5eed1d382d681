import { ZodError } from 'zod'
import { AppError } from '../runtime/errors.ts'
import { CircuitOpenError, DeadlineError } from '../runtime/resilience.ts'

/** The SQLSTATE of a failed statement, five characters, from Prisma's adapter or pg; undefined if there is none. */
function sqlState(error: unknown): string | undefined {
  type Shape = {
    code?: unknown
    originalCode?: unknown
    meta?: { code?: unknown; driverAdapterError?: { cause?: { originalCode?: unknown } } }
  }
  const { code, originalCode, meta } = error as Shape
  const states = [
    meta?.driverAdapterError?.cause?.originalCode,
    originalCode,
    meta?.code,
    // A DriverAdapterError that no request of Prisma has wrapped.
    (error as { cause?: Shape }).cause?.originalCode,
    code,
  ]
  return states.find((state) => typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state)) as
    | string
    | undefined
}

/** SQLSTATE classes that say the statement or its data are wrong, not the database: data, integrity, syntax, limits. */
const deterministicSqlState = /^(22|23|42|54)/
const invalidArgument = 3

/** Whether the same message is sure to fail in the same way again. */
export function isDeterministic(error: unknown): boolean {
  if (error instanceof AppError) return !unavailableKinds.has(error.kind)
  if (error instanceof ZodError || error instanceof SyntaxError) return true
  if (error instanceof ReferenceError || error instanceof RangeError) return true
  // undici and pg wrap network failures in a TypeError with a cause; a bug of ours has none.
  if (error instanceof TypeError) return error.cause === undefined
  // Prisma refuses the values before it asks the database. Known by name: only repositories import Prisma.
  if (error instanceof Error && error.name === 'PrismaClientValidationError') return true
  if (chainOf(error).some((one) => grpcCodeOf(one) === invalidArgument)) return true
  return deterministicSqlState.test(sqlState(error) ?? '')
}

const unavailableKinds = new Set<string>(['unavailable', 'too_many_requests'])

/** SQLSTATE classes of a database that is unavailable: connection, resources, operator intervention. */
const unavailableSqlState = /^(08|53|57)/
/** Prisma's codes for the same, pool and transaction timeouts included. */
const unavailablePrismaCode = /^P(1\d{3}|2024|2028|2037)$/
/** Messages of pg, without a code, for an exhausted pool and for a query without an answer. */
const unavailablePgMessage = /^(timeout exceeded when trying to connect|Query read timeout)$/

/** Whether a request failed because the database is unavailable, so that the client should retry. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof message === 'string' && unavailablePgMessage.test(message)) return true
  if (typeof code === 'string' && unavailablePrismaCode.test(code)) return true
  return unavailableSqlState.test(sqlState(error) ?? '')
}

/**
 * More classes whose cause is not the message: access and catalog (28, 3D), a transaction that lost against others or
 * took too long (40, 25P03, 25P04, 55P03), a server that only reads (25006), its disk and files (58, F0, XX001, XX002).
 */
const outageSqlState = /^(28|3D|40|58|F0|25P0[34]|25006|55P03|XX00[12])/
/** Prisma's code for a transaction that lost against another one. */
const outagePrismaCode = /^P2034$/
/** Prisma's adapter on a failure to which the database gave no code. */
const outageAdapterKind =
  /^(DatabaseNotReachable|ConnectionClosed|SocketTimeout|TlsConnectionError|TooManyConnections|AuthenticationFailed|DatabaseAccessDenied|DatabaseDoesNotExist|TransactionWriteConflict|TransactionAlreadyClosed)$/
/** All messages of pg and its pool for a connection that ended. */
const outagePgMessage =
  /^(Connection terminated|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end|timeout expired|The server does not support SSL)/

/** Node, the system below it, TLS and undici: a connection, a name, a certificate, a full disk. */
const outageSystemCode =
  /^(ECONN\w+|E?PIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENETRESET|EADDRNOTAVAIL|EAI_\w+|ENOTFOUND|EPROTO|ESOCKET|EDNS|ETLS|EMFILE|ENFILE|ENOBUFS|ENOSPC|EROFS|EIO|ENOMEM|EAGAIN|CERT_\w+|UNABLE_TO_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|ERR_(TLS|SSL|HTTP2|SOCKET|STREAM)_\w+|UND_ERR_(CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|SOCKET|CLOSED|DESTROYED|ABORTED|INFO))$/

/** A call that was cancelled, late, rejected or not answered, or whose credentials were refused. */
const outageGrpcCodes = new Set([1, 4, 7, 8, 10, 14, 16])
/** Messages of grpc-js with code 13 or 2 for a connection that ended during a call. */
const outageGrpcDetails =
  /RST_STREAM|GOAWAY|[Cc]onnection (dropped|closed|reset)|stream (terminated|closed)/

/** Client errors whose name means that there was no answer. */
const outageName =
  /^(TimeoutError|AbortError|BrokenCircuitError|BulkheadRejectedError|TaskCancelledError|NamespaceNotFoundError|PrismaClientInitializationError|PrismaClientRustPanicError|MaxRetriesPerRequestError|ClusterAllFailedError|ClientClosedError|ClientOfflineError|DisconnectsClientError|SocketClosedUnexpectedlyError|SocketTimeoutError|ConnectionTimeoutError|ReconnectStrategyError|RootNodesUnavailableError|KafkaJS(Connection\w*|Request\w*|NumberOfRetriesExceeded|BrokerNotFound|NoBrokerAvailableError|GroupCoordinatorNotFound|MetadataNotLoaded|LockTimeout))$/
/** Error replies of Redis about its own state. */
const outageRedisMessage =
  /^(CLUSTERDOWN|MASTERDOWN|LOADING|READONLY|TRYAGAIN|OOM|MISCONF|NOREPLICAS|NOAUTH|WRONGPASS|Connection is closed|Stream isn't writeable)/

/**
 * Whether the cause is certainly not the message, but a dependency that is unavailable now: a database, a broker, a
 * service, the network. Such a message is retried without end. Any other becomes a dead letter after a number of
 * attempts, so every error that a client of an unavailable server may throw belongs here.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof AppError) return unavailableKinds.has(error.kind)
  return chainOf(error).some(saysOutage)
}

function saysOutage(error: unknown): boolean {
  if (error instanceof AppError) return unavailableKinds.has(error.kind)
  if (error instanceof CircuitOpenError || error instanceof DeadlineError) return true
  if (isDatabaseUnavailable(error)) return true
  const { code, kind, message, name } = error as Record<string, unknown>
  const grpcCode = grpcCodeOf(error)
  if (grpcCode !== undefined) {
    const tooLarge = String(message).includes('larger than max')
    const refused = outageGrpcCodes.has(grpcCode) && !tooLarge
    return refused || outageGrpcDetails.test(String(message))
  }
  return (
    outageSqlState.test(sqlState(error) ?? '') ||
    matches(outagePrismaCode, code) ||
    matches(outageSystemCode, code) ||
    matches(outageAdapterKind, kind) ||
    matches(outageName, name) ||
    matches(outagePgMessage, message) ||
    matches(outageRedisMessage, message)
  )
}

function matches(pattern: RegExp, value: unknown): boolean {
  return typeof value === 'string' && pattern.test(value)
}

/** A gRPC status has a number as its code, and `details`; other libraries have numbers too. */
function grpcCodeOf(error: unknown): number | undefined {
  const { code, details } = error as { code?: unknown; details?: unknown }
  return typeof code === 'number' && details !== undefined ? code : undefined
}

const maxChain = 20

/** An error and all its causes. */
function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [error]
  for (const one of chain) {
    if (typeof one !== 'object' || one === null) continue
    const { cause, errors, meta } = one as {
      cause?: unknown
      errors?: unknown
      meta?: { driverAdapterError?: unknown }
    }
    const next = [cause, meta?.driverAdapterError, ...(Array.isArray(errors) ? errors : [])]
    for (const found of next) {
      if (found === undefined || found === null) continue
      if (chain.length < maxChain && !chain.includes(found)) chain.push(found)
    }
  }
  return chain.filter((one) => typeof one === 'object' && one !== null)
}

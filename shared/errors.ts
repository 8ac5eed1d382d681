import type { status } from '@grpc/grpc-js'
import { z } from 'zod'

/** Written down here, so that a service without gRPC does not load its library. */
const grpcStatus = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const satisfies { [Name in keyof typeof status]?: (typeof status)[Name] }

/** One broken rule of a request: `field` as the client wrote it (`lines.0.quantity`). */
const FieldError = z.object({ field: z.string(), rule: z.string() })
export type FieldError = z.infer<typeof FieldError>

/** What kinds of failure there are, and the only mapping to HTTP and gRPC. */
export const errorKinds = {
  invalid: { http: 400, grpc: grpcStatus.INVALID_ARGUMENT, title: 'The request is not valid' },
  unauthorized: {
    http: 401,
    grpc: grpcStatus.UNAUTHENTICATED,
    title: 'Authentication is required',
  },
  forbidden: { http: 403, grpc: grpcStatus.PERMISSION_DENIED, title: 'This is not allowed' },
  not_found: { http: 404, grpc: grpcStatus.NOT_FOUND, title: 'There is no such resource' },
  conflict: {
    http: 409,
    grpc: grpcStatus.ABORTED,
    title: 'The request conflicts with what is there',
  },
  too_large: { http: 413, grpc: grpcStatus.RESOURCE_EXHAUSTED, title: 'The request is too large' },
  unprocessable: {
    http: 422,
    grpc: grpcStatus.FAILED_PRECONDITION,
    title: 'The request is well formed but cannot be done',
  },
  too_many_requests: {
    http: 429,
    grpc: grpcStatus.RESOURCE_EXHAUSTED,
    title: 'There were too many requests',
  },
  unavailable: { http: 503, grpc: grpcStatus.UNAVAILABLE, title: 'Temporarily unavailable' },
} as const

export type ErrorKind = keyof typeof errorKinds

/** A failure that the caller is told about. Anything else that is thrown is a 500 without detail. */
export class AppError extends Error {
  override name = 'AppError'
  readonly kind: ErrorKind
  readonly fields: FieldError[]
  /** When the same request may go through, if that is known. */
  readonly retryAfterSeconds: number | undefined

  constructor(
    kind: ErrorKind,
    detail: string,
    options: { fields?: FieldError[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause })
    this.kind = kind
    this.fields = options.fields ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** An AppError('invalid') that names each field and rule that zod found broken, under `prefix` when given. */
export function invalid(issues: z.core.$ZodIssue[]): AppError {
  const fields = issues.flatMap(fieldErrors)
  const detail = fields.map(({ field, rule }) => `${field || 'body'}: ${rule}`).join('; ')
  return new AppError('invalid', detail, { fields })
}

/** An AppError('unprocessable') for one field that is well formed but cannot be done. */
export function unprocessable(field: string, rule: string): AppError {
  return new AppError('unprocessable', `${field}: ${rule}`, { fields: [{ field, rule }] })
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: [...path, key].join('.'), rule: 'is not known' }))
  }
  return [{ field: path.join('.'), rule: issue.message }]
}

/** RFC 9457 problem details. `type` is stable: clients may switch on it. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  errors: z.array(FieldError).optional(),
})
export type Problem = z.infer<typeof Problem>

/** The only mapping from what was thrown to an HTTP answer; an unknown error tells nothing of itself. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof AppError)) {
    return { type: 'urn:shop:problem:internal', title: 'Something went wrong here', status: 500 }
  }
  const { http, title } = errorKinds[error.kind]
  return {
    type: `urn:shop:problem:${error.kind.replaceAll('_', '-')}`,
    title,
    status: http,
    detail: error.message,
    ...(error.fields.length > 0 && { errors: error.fields }),
  }
}

/** The only mapping from what was thrown to a gRPC status. */
export function toGrpcError(error: unknown): { code: status; details: string } {
  if (!(error instanceof AppError)) return { code: grpcStatus.INTERNAL, details: 'internal error' }
  return { code: errorKinds[error.kind].grpc, details: error.message }
}

/** The way back: what a gRPC call failed with, as the caller's own AppError. */
export function fromGrpcError(error: unknown): AppError {
  const { code, details } = error as { code?: number; details?: string }
  const kind = (Object.keys(errorKinds) as ErrorKind[]).find(
    (name) => errorKinds[name].grpc === code,
  )
  if (kind && kind !== 'too_large') return new AppError(kind, details ?? kind, { cause: error })
  return new AppError('unavailable', 'a service that this needs does not answer', { cause: error })
}

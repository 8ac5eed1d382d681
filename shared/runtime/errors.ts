import type { status } from '@grpc/grpc-js'
import type { z } from 'zod'
import {
  type ErrorKind,
  errorKinds,
  type FieldError,
  grpcStatus,
  type Problem,
  problemType,
} from '../contracts/problem.ts'

type ProblemMembers = Pick<Problem, 'amount' | 'currency_code'>

/** A failure that the caller sees. Every other error is a 500 without detail. */
export class AppError extends Error {
  override name = 'AppError'
  readonly kind: ErrorKind
  readonly fields: FieldError[]
  /** When the same request may succeed, if known. */
  readonly retryAfterSeconds: number | undefined
  /** What the problem tells beside its detail. */
  readonly members: ProblemMembers

  constructor(
    kind: ErrorKind,
    detail: string,
    options: {
      fields?: FieldError[]
      retryAfterSeconds?: number
      members?: ProblemMembers
      cause?: unknown
    } = {},
  ) {
    super(detail, { cause: options.cause })
    this.kind = kind
    this.fields = options.fields ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
    this.members = options.members ?? {}
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

/** The only mapping from an error to an HTTP answer; of an unknown error it reveals nothing. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof AppError)) {
    return { type: problemType('internal'), title: 'Something went wrong here', status: 500 }
  }
  const { http, title } = errorKinds[error.kind]
  return {
    type: problemType(error.kind),
    title,
    status: http,
    detail: error.message,
    ...(error.fields.length > 0 && { errors: error.fields }),
    ...error.members,
  }
}

/** The only mapping from an error to a gRPC status. */
export function toGrpcError(error: unknown): { code: status; details: string } {
  if (!(error instanceof AppError)) return { code: grpcStatus.INTERNAL, details: 'internal error' }
  return { code: errorKinds[error.kind].grpc, details: error.message }
}

/** The reverse: the failure of a gRPC call as the caller's AppError. */
export function fromGrpcError(error: unknown): AppError {
  const { code, details } = error as { code?: number; details?: string }
  const kind = (Object.keys(errorKinds) as ErrorKind[]).find(
    (name) => errorKinds[name].grpc === code,
  )
  if (kind && kind !== 'too_large') return new AppError(kind, details ?? kind, { cause: error })
  return new AppError('unavailable', 'a service that this needs does not answer', { cause: error })
}

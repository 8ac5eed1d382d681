import type { status } from '@grpc/grpc-js'
import { z } from 'zod'

/** Repeated here, so that a service without gRPC does not load the gRPC library. */
export const grpcStatus = {
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
export const FieldError = z.object({ field: z.string(), rule: z.string() })
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
  // The first kind of a gRPC status is what a failed call becomes, so these come after those that services throw.
  out_of_stock: { http: 409, grpc: grpcStatus.ABORTED, title: 'There is not enough in stock' },
  price_changed: {
    http: 409,
    grpc: grpcStatus.ABORTED,
    title: 'The price is not the expected one',
  },
  method_not_allowed: {
    http: 405,
    grpc: grpcStatus.INVALID_ARGUMENT,
    title: 'The resource does not take this method',
  },
  request_timeout: {
    http: 408,
    grpc: grpcStatus.INVALID_ARGUMENT,
    title: 'The request came too slowly',
  },
  precondition_failed: {
    http: 412,
    grpc: grpcStatus.FAILED_PRECONDITION,
    title: 'The resource is not in the state that the request asks for',
  },
  unsupported_media_type: {
    http: 415,
    grpc: grpcStatus.INVALID_ARGUMENT,
    title: 'The body is of a type that is not taken',
  },
  headers_too_large: {
    http: 431,
    grpc: grpcStatus.RESOURCE_EXHAUSTED,
    title: 'The headers are too large',
  },
  unavailable: { http: 503, grpc: grpcStatus.UNAVAILABLE, title: 'Temporarily unavailable' },
  bad_gateway: { http: 502, grpc: grpcStatus.UNAVAILABLE, title: 'The service did not answer' },
  gateway_timeout: {
    http: 504,
    grpc: grpcStatus.UNAVAILABLE,
    title: 'The service did not answer in time',
  },
} as const

export type ErrorKind = keyof typeof errorKinds

/** What clients switch on. */
export function problemType(kind: string): string {
  return `urn:shop:problem:${kind.replaceAll('_', '-')}`
}

/** RFC 9457 problem details. `type` is stable: clients may switch on it. */
export const Problem = z.object({
  type: z.string().meta({ enum: ['internal', ...Object.keys(errorKinds)].map(problemType) }),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string().optional(),
  errors: z.array(FieldError).optional(),
  amount: z
    .int()
    .optional()
    .meta({ description: 'Of `price-changed`: what the purchase costs now, in minor units' }),
  currency_code: z.string().optional(),
})
export type Problem = z.infer<typeof Problem>

import type { z } from 'zod'
import type { Caller } from './auth.ts'
import type { ErrorKind } from './errors.ts'
import type { EventStream } from './event-streams.ts'
import type { FormInput, Multipart } from './multipart.ts'
import type { LimitName } from './rate-limits.ts'

/** Before the path of every route. */
export const apiPrefix = '/api/v1'

/** One endpoint as its contract states it. Objects are strict: a field that is not known is refused. */
export type Route = {
  method: 'get' | 'post' | 'put'
  /** Below `/api/v1`, in express form (`/products/:id`). */
  path: string
  summary: string
  /** A bearer token is required: a customer's, or an operator's. */
  auth?: true | 'operator'
  /** Of shared/rate-limits.ts; what is beyond it is answered 429. */
  limit?: LimitName
  params?: z.ZodObject
  query?: z.ZodObject
  /** Headers that the endpoint reads, by lower-case name. */
  headers?: z.ZodObject
  body?: z.ZodObject
  /** Instead of a body: a form with files, which the handler reads as they arrive. */
  multipart?: Multipart
  /** Instead of one answer: server-sent events with data of `response`. */
  stream?: true
  status: 200 | 201 | 202 | 204
  response: z.ZodType
  /** How its service may refuse, beyond what the parts above can go wrong with; for the document. */
  errors?: readonly ErrorKind[]
}
export type Routes = Record<string, Route>

type Part<R, K extends string> = R extends { [P in K]: z.ZodType } ? z.infer<R[K]> : undefined
export type Input<R extends Route> = {
  params: Part<R, 'params'>
  query: Part<R, 'query'>
  headers: Part<R, 'headers'>
  body: Part<R, 'body'>
  form: R extends { multipart: { fields: z.ZodType } }
    ? FormInput<z.infer<R['multipart']['fields']>>
    : undefined
  caller: R extends { auth: true } ? Caller : undefined
  /** Aborted when the client is gone, or the process ends. */
  signal: R extends { stream: true } ? AbortSignal : undefined
  /** The operator's name. */
  operator: R extends { auth: 'operator' } ? string : undefined
}

type Result<R extends Route> = R extends { stream: true }
  ? EventStream<z.input<R['response']>>
  : z.input<R['response']>

/** A function per route of a contract: a missing or superfluous one does not compile. */
export type Handlers<T extends Routes> = {
  [K in keyof T]: (input: Input<T[K]>) => Promise<Result<T[K]>>
}

import type { z } from 'zod'
import type { ErrorKind } from './problem.ts'
import type { Role } from './role.ts'

/** Before the path of every route. */
export const apiPrefix = '/api/v1'

/** A form as its contract states it: text fields, then any number of files under one name. */
export type Multipart = { fields: z.ZodObject; files: string }

/** The rate limits that a route can name; `shared/http/rate-limits.ts` says what each counts. */
export type LimitName = 'register' | 'login' | 'code' | 'purchase'

/** One endpoint as its contract states it. Objects are strict: a field that is not known is refused. */
export type Route = {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** Below `/api/v1`, in express form (`/products/:id`). */
  path: string
  summary: string
  /** A bearer token is required: a customer's, or an operator's. */
  auth?: true | 'operator'
  /** Sets or removes the cookie of an operator's session in a browser. */
  operatorSession?: 'begin' | 'end'
  /** That a customer must have beside the token; without it the answer is 403. */
  role?: Role
  /** Of shared/http/rate-limits.ts; what is beyond it is answered 429. */
  limit?: LimitName
  params?: z.ZodObject
  query?: z.ZodObject
  /** Headers that the endpoint reads, by lower-case name. */
  headers?: z.ZodObject
  body?: z.ZodObject
  /**
   * The handler gets the bytes of the body as they came, because its sender has signed them. `body` is for the
   * document; the handler checks.
   */
  raw?: true
  /** Instead of a body: a form with files, which the handler reads as they arrive. */
  multipart?: Multipart
  /**
   * Keeps a browser's session in cookies that no script can read. Only pages of the shop's own origin may send it; a
   * client that is no browser may as well.
   */
  cookies?: true
  /** Instead of one answer: server-sent events with data of `response`. */
  stream?: true
  status: 200 | 201 | 202 | 204
  /**
   * Where what a 201 made, or a 202 promises, is found: a path below `/api/v1` with values of the answer or of the
   * parameters in it, as in `/products/:id`.
   */
  location?: string
  /**
   * The field of the answer that is sent as its ETag, for If-Match. It names what a client may change, and other
   * fields may differ under the same tag, so If-None-Match is not answered.
   */
  etag?: string
  response: z.ZodType
  /** What a client that sends `Prefer: wait=N` is answered with 200 when all has ended in time, instead of the 202. */
  ended?: z.ZodType
  /** How its service may refuse, beyond what the parts above can go wrong with; for the document. */
  errors?: readonly ErrorKind[]
}
export type Routes = Record<string, Route>

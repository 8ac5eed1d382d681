import type { z } from 'zod'
import type { Route, Routes } from '../contracts/route.ts'
import type { Caller } from './auth.ts'
import type { FormInput } from './multipart.ts'
import type { SessionCookies } from './session-cookies.ts'
import type { EventStream } from './sse.ts'

type Part<R, K extends string> = R extends { [P in K]: z.ZodType } ? z.infer<R[K]> : undefined
export type Input<R extends Route> = {
  params: Part<R, 'params'>
  query: Part<R, 'query'>
  headers: Part<R, 'headers'>
  body: R extends { raw: true } ? Buffer : Part<R, 'body'>
  form: R extends { multipart: { fields: z.ZodType } }
    ? FormInput<z.infer<R['multipart']['fields']>>
    : undefined
  caller: R extends { auth: true } ? Caller : undefined
  /** The client's address, as `admission/network.ts` counts it. */
  client: string
  /** The refresh token that the browser's cookie holds. */
  refreshToken: R extends { cookies: true } ? string | undefined : undefined
  /** Aborted when the client is gone, or the process ends. */
  signal: R extends { stream: true } ? AbortSignal : undefined
  /** The operator's name. */
  operator: R extends { auth: 'operator' } ? string : undefined
  /** When the operator's session ends, ms since 1970; undefined with a bearer token. */
  operatorUntil: number | undefined
}

type Result<R extends Route> = R extends { stream: true }
  ? EventStream<z.input<R['response']>>
  : R extends { cookies: true }
    ? { answer: z.input<R['response']>; cookies: SessionCookies | null }
    : z.input<R['response']>

/** A function per route of a contract: a missing or superfluous one does not compile. */
export type Handlers<T extends Routes> = {
  [K in keyof T]: (input: Input<T[K]>) => Promise<Result<T[K]>>
}

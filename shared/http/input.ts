import type { Request } from 'express'
import type { z } from 'zod'
import type { Route } from '../contracts/route.ts'
import { invalid } from '../runtime/errors.ts'
import { networkOf } from './admission/network.ts'
import { refreshTokenOf } from './session-cookies.ts'

function pick(headers: Record<string, unknown>, schema: z.ZodObject | undefined) {
  if (!schema) return {}
  return Object.fromEntries(Object.keys(schema.shape).map((name) => [name, headers[name]]))
}

/** Every part that the route has, or one AppError that names all that is wrong with all of them. */
export function inputOf(route: Route, request: Request) {
  const sent = {
    params: request.params,
    query: request.query,
    headers: pick(request.headers, route.headers),
    body: request.body ?? {},
  }
  const issues: z.core.$ZodIssue[] = []
  const parsed = Object.entries(sent).map(([part, value]) => {
    if (part === 'body' && route.raw) return [part, request.body ?? Buffer.alloc(0)]
    const result = route[part as keyof typeof sent]?.safeParse(value)
    if (result?.error) issues.push(...result.error.issues)
    return [part, result?.data]
  })
  if (issues.length > 0) throw invalid(issues)
  const { caller, operator, operatorUntil } = request
  const client = networkOf(request.ip ?? '')
  const cookies = route.cookies && { refreshToken: refreshTokenOf(request) }
  return { ...Object.fromEntries(parsed), caller, operator, operatorUntil, client, ...cookies }
}

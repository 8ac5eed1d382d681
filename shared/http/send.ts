import type { Request, Response } from 'express'
import { apiPrefix, type Route } from '../contracts/route.ts'

/** Answers with what the contract of the route allows of a result, and with its headers. */
export function send(route: Route, request: Request, response: Response, result: unknown): void {
  const answer = route.response.parse(result)
  if (route.location) {
    response.location(apiPrefix + fill(route.location, { ...request.params, ...Object(answer) }))
  }
  if (route.etag) {
    response.set('ETag', `"${at(answer, [route.etag])}"`)
    // The tag does not name the whole answer, so a client's copy is never fresh.
    delete request.headers['if-none-match']
  }
  response.status(route.status).json(answer)
}

/** Puts values of an answer into a path such as `/things/:id` or `/things?of=:items.0.id`. */
function fill(template: string, values: unknown): string {
  return template.replaceAll(/:([\w.]+)/g, (_, path: string) =>
    encodeURIComponent(String(at(values, path.split('.')))),
  )
}

function at(value: unknown, steps: string[]): unknown {
  return steps.reduce((part, step) => (part as Record<string, unknown>)?.[step], value)
}

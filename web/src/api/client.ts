import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from './schema.ts'
import { accessToken, refreshSession } from './session.ts'

export type Schemas = components['schemas']
export type Problem = Schemas['Problem']
/** What a list can be narrowed by. */
export type QueryOf<P extends keyof paths> = paths[P] extends {
  get: { parameters: { query?: infer Q } }
}
  ? NonNullable<Q>
  : never

/** The API of the shop, typed by its OpenAPI document. An answer has `data`, or as `error` the problem. */
export const api = createClient<paths>({ baseUrl: '/api/v1' })

/** The bodies of requests are read once, so a request that may have to be sent again is copied first. */
const copies = new WeakMap<Request, Request>()

/** Sends the access token along, and once more with a new one when the old one has expired. */
const authorize: Middleware = {
  onRequest({ request }) {
    const token = accessToken.value
    if (token === null) return
    request.headers.set('authorization', `Bearer ${token}`)
    copies.set(request, request.clone())
  },
  async onResponse({ request, response }) {
    const copy = copies.get(request)
    if (response.status !== 401 || !copy) return
    const token = await refreshSession()
    if (token === null) return
    copy.headers.set('authorization', `Bearer ${token}`)
    return fetch(copy)
  },
}
api.use(authorize)

/** What went wrong in words for a person. */
export function problemText(error: Problem | undefined): string {
  if (!error) return 'The shop could not be reached. Check the connection and try again.'
  const rules = error.errors?.map(({ field, rule }) => `${field.replaceAll('_', ' ')} ${rule}`)
  return rules?.length ? rules.join('; ') : (error.detail ?? error.title)
}

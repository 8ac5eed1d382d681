import type { components } from './schema.ts'

export type Schemas = components['schemas']

type Problem = Schemas['Problem']
export type Answer<T> = { data?: T; error?: Problem | null }

/** Asks the operators' API; the session is in a cookie. `error` null: there was no answer. */
export async function operate<T>(
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  {
    body,
    token,
    headers,
    signal,
  }: {
    body?: object | undefined
    token?: string
    headers?: Record<string, string>
    signal?: AbortSignal | undefined
  } = {},
): Promise<Answer<T>> {
  const response = await fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  }).catch(() => undefined)
  if (!response) return { error: null }
  const text = await response.text()
  const parsed = text ? JSON.parse(text) : {}
  return response.ok ? { data: parsed as T } : { error: parsed as Problem }
}

import * as undici from 'undici'
import { operatorDocument } from './api-document.ts'
import { testStack } from './stack.ts'

/** A request to the operators' entry point whose answer must be as the operators' document says. */
export async function operate<T>(
  method: 'GET' | 'POST',
  path: string,
  { body, headers }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; body: T; cookie: string | undefined }> {
  const { urls, secrets } = await testStack()
  const response = await undici.request(`${urls.operators}/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(headers ?? { authorization: `Bearer ${secrets.operatorToken}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  })
  const text = await response.body.text()
  const contentType = response.headers['content-type'] as string | undefined
  const parsed = text ? JSON.parse(text) : undefined
  const { check } = await operatorDocument()
  check({ method, path, status: response.statusCode, contentType, body: parsed })
  return {
    status: response.statusCode,
    body: parsed as T,
    cookie: [response.headers['set-cookie'] ?? []].flat()[0],
  }
}

export type StreamedEvent<T> = { id: number; event: string; data: T }

/** Reads server-sent events of operators until `until` holds for one, the stream ends, or a minute is over. */
export async function operatorEvents<T>(
  path: string,
  until: (event: StreamedEvent<T>) => boolean,
  headers: Record<string, string> = {},
): Promise<{ status: number; events: StreamedEvent<T>[] }> {
  const { urls, secrets } = await testStack()
  const stop = new AbortController()
  const response = await fetch(`${urls.operators}/api/v1${path}`, {
    headers: { authorization: `Bearer ${secrets.operatorToken}`, ...headers },
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]),
  })
  const events: StreamedEvent<T>[] = []
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks.filter((one) => one.startsWith('id: '))) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      events.push({
        id: Number(field('id')),
        event: field('event'),
        data: JSON.parse(field('data')),
      })
    }
    if (events.some(until)) break
  }
  stop.abort()
  return { status: response.status, events }
}

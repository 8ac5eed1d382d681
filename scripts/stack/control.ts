import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import type { Stack } from './client.ts'
import { type ServiceName, serviceNames } from './services.ts'

export type Control = { port: number; close(): void }

const Variables = z.record(z.string().regex(/^[A-Z_]{1,64}$/), z.string().max(10_000))

function serviceOf(name: string | undefined): ServiceName {
  const found = serviceNames.find((service) => service === name)
  if (!found) throw new Error(`no service is called ${name}`)
  return found
}

async function handle(stack: Stack, request: IncomingMessage): Promise<unknown> {
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  if (request.method === 'GET' && path === '/status') return stack.status()
  if (request.method !== 'POST') throw new Error(`no such call: ${request.method} ${path}`)
  const body = await text(request)
  if (path === '/ensure') return stack.ensure()
  if (path === '/stop') return stack.stop()
  if (path === '/secrets') return stack.reloadSecrets()
  if (path === '/promote') return stack.promote()
  const [, name, action] = /^\/processes\/([\w-]+)\/(signal|stop|start|env)$/.exec(path) ?? []
  if (name && action === 'signal') return stack.signal(name, JSON.parse(body).signal)
  if (name && action === 'stop') return stack.stopProcess(name)
  if (name && action === 'start') return stack.startProcess(name)
  if (action === 'env')
    return stack.configureService(serviceOf(name), Variables.parse(JSON.parse(body)))
  throw new Error(`no such call: POST ${path}`)
}

/** The local port through which up, down, status and the drills control a launcher in another process. */
export async function serveControl(stack: Stack, token: string): Promise<Control> {
  const expected = Buffer.from(`Bearer ${token}`)
  const server = createServer(async (request, response) => {
    const given = Buffer.from(request.headers.authorization ?? '')
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { connection: 'close' }).end(JSON.stringify(body ?? {}))
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      answer(401, { error: 'wrong token' })
      return
    }
    try {
      answer(200, await handle(stack, request))
    } catch (error) {
      answer(409, { error: (error as Error).message })
    }
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

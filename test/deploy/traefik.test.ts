import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { get as getTls } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as traefik from '../../scripts/stack/engines/traefik.ts'
import { freePort } from '../../scripts/stack/ports.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { checkout, readDocument } from '../docs/markdown.ts'
import { type Manifests, readOverlay, toolsTimeoutMs } from './manifests.ts'

describe('Traefik with the arguments of production', function () {
  this.timeout(toolsTimeoutMs)

  let production: Manifests
  let program: string
  let dir: string
  /** Every service, at a port where nobody listens: some resolvers take long to say that there is no such host. */
  let nowhere: Record<string, string>
  const running: ChildProcess[] = []

  before(async () => {
    production = await readOverlay('production')
    program = join(await traefik.install(() => {}), 'bin/traefik')
    dir = await mkdtemp(join(tmpdir(), 'traefik-'))
    await mkdir(join(dir, 'routes'))
    await cp(join(checkout, 'traefik.yml'), join(dir, 'routes/traefik.yml'))
    const variables = (await readDocument('traefik.yml')).matchAll(/env "(\w+_URLS)"/g)
    nowhere = Object.fromEntries([...variables].map(([, name]) => [name, 'http://127.0.0.1:1']))
    assert.ok(nowhere.ACCOUNT_URLS && nowhere.MINIO_URLS)
  })

  after(async () => {
    for (const child of running) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(dir, { recursive: true })
  })

  /** Starts it on ports of its own, which are by entry point in the answer. */
  async function start(name: string): Promise<Record<string, number>> {
    const ports: Record<string, number> = {}
    const args: string[] = []
    for (const argument of production.container(name).args ?? []) {
      const [, option, entryPoint] = /^(--entryPoints\.(\w+)\.address=)/.exec(argument) ?? []
      if (entryPoint) ports[entryPoint] = await freePort()
      const value = entryPoint ? `${option}127.0.0.1:${ports[entryPoint]}` : argument
      args.push(value.replace('directory=/', `directory=${dir}/`))
    }
    const child = spawn(program, args, { cwd: dir, stdio: 'ignore', env: nowhere })
    running.push(child)
    await waitFor(`${name} to answer`, async () => {
      assert.equal(child.exitCode, null)
      return (await fetch(`http://127.0.0.1:${ports.traefik}/ping`)).ok
    })
    return ports
  }

  /** Waits for its own routes, which it has a moment after it answers. */
  const redirected = ({ plain }: Record<string, number>) =>
    waitFor('HTTP to be sent elsewhere', async () => {
      const answer = await fetch(`http://127.0.0.1:${plain}/docs`, { redirect: 'manual' })
      return answer.status !== 404 && answer
    })

  it('sends HTTP to HTTPS, and serves both public entry points with TLS', async () => {
    const ports = await start('traefik')

    const answer = await redirected(ports)
    assert.equal(answer.status, 301)
    assert.equal(answer.headers.get('location'), 'https://127.0.0.1/docs')
    for (const entryPoint of ['web', 'cdn']) {
      // No service runs here: the answer is that of a proxy that has a route.
      const status = await waitFor(`${entryPoint} to have its routes`, async () => {
        const url = `https://127.0.0.1:${ports[entryPoint]}/images`
        const request = getTls(url, { rejectUnauthorized: false })
        const [response] = await once(request, 'response')
        response.resume()
        return response.statusCode !== 404 && response.statusCode
      })
      assert.equal(status, 502, entryPoint)
    }
  })

  it('shows no dashboard', async () => {
    const ports = await start('traefik')
    await redirected(ports)

    for (const path of ['/dashboard/', '/api/rawdata']) {
      assert.equal((await fetch(`http://127.0.0.1:${ports.traefik}${path}`)).status, 404, path)
    }
  })

  it('starts as the proxy of gRPC', async () => {
    const ports = await start('traefik-grpc')

    for (const port of Object.values(ports)) {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect', { signal: AbortSignal.timeout(60_000) })
      socket.destroy()
    }
    assert.ok(Object.keys(ports).length >= 2)
  })
})

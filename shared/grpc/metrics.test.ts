import assert from 'node:assert/strict'
import { pino } from 'pino'
import type { Histogram } from 'prom-client'
import { AppError } from '../runtime/errors.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { waitFor } from '../runtime/wait-for.ts'
import { connectGrpc } from './client.ts'
import { startGrpcServer } from './server.ts'

const host = '127.0.0.1'
/** So long that no call ends by it, however slow the machine is. */
const deadlineMs = 20_000
const patienceMs = 60_000

/** How many calls a histogram has, by the values of their labels. */
async function counts(histogram: Histogram): Promise<Record<string, number>> {
  const { values } = await histogram.get()
  const found = values.filter(({ metricName }) => metricName?.endsWith('_count'))
  return Object.fromEntries(
    found.map(({ labels: { service: _, ...labels }, value }) => [
      Object.values(labels).join(' '),
      value,
    ]),
  )
}

describe('the metrics of gRPC', () => {
  const open = new AsyncDisposableStack()
  const metrics = createMetrics('test')

  after(() => open.disposeAsync())

  it('count calls at both sides by their code, and those that an open circuit did not make', async () => {
    const server = open.adopt(
      await startGrpcServer({
        ...{ service: 'auth', host, port: 0, logger: pino({ level: 'silent' }), metrics },
        handlers: {
          async Authenticate({ access_token }) {
            if (access_token === 'bad') throw new AppError('unauthorized', 'no')
            return { account_id: '', email_verified: true, roles: [] }
          },
          GetDeliveries: async () => ({ deliveries: [] }),
        },
      }),
      (it) => it.close(),
    )
    const connect = (port: number) =>
      open.adopt(connectGrpc('auth', `${host}:${port}`, { metrics, deadlineMs }), (it) =>
        it.close(),
      )
    const auth = connect(server.port)

    await auth.Authenticate({ access_token: 'good' })
    await assert.rejects(auth.Authenticate({ access_token: 'bad' }))
    const served = { 'Authenticate OK': 1, 'Authenticate UNAUTHENTICATED': 1 }
    assert.deepEqual(await counts(metrics.grpcServerSeconds), served)

    const nobody = connect(1)
    const refused = async () => {
      await assert.rejects(nobody.GetDeliveries({ account_ids: [] }))
      return (await counts(metrics.grpcClientSeconds))['auth GetDeliveries circuit_open']
    }
    await waitFor('a call that is not made', refused, patienceMs)
    const { 'auth GetDeliveries UNAVAILABLE': failed = 0, ...others } = await counts(
      metrics.grpcClientSeconds,
    )
    assert.ok(failed >= 5, `${failed}`)
    assert.deepEqual(others, {
      'auth Authenticate OK': 1,
      'auth Authenticate UNAUTHENTICATED': 1,
      'auth GetDeliveries circuit_open': 1,
    })
  })
})

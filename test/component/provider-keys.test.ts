import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { start } from '../../provider/main.ts'
import { signatureOf } from '../../provider/webhooks.ts'
import { connectStripe } from '../../services/payment/stripe-provider.ts'
import { createWebhooks } from '../../services/payment/webhooks.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'

const logger = pino({ level: 'silent' })
const [old, current, unknown] = ['first', 'second', 'third'] as [string, string, string]

describe('while a key of the provider is replaced', () => {
  const open = new AsyncDisposableStack()

  after(() => open.disposeAsync())

  /** The simulated provider, as it accepts these keys. */
  async function startProvider(keys: string[]): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'saga-provider-'))
    open.defer(() => rm(dir, { recursive: true }))
    const settings = {
      HTTP_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      LOG_LEVEL: 'silent',
      PROVIDER_KEY: keys,
      PROVIDER_DATABASE: join(dir, 'ledger.db'),
      PROVIDER_WEBHOOK_URL: undefined,
      PROVIDER_WEBHOOK_SECRET: old,
      SIM_REFUND_FAILURES: 0,
    } as const
    const { port } = open.adopt(await start(settings, logger), (it) => it.close())
    return `http://127.0.0.1:${port}`
  }

  /** A client as the payment service has it. */
  const clientOf = (url: string, key: string) =>
    open.adopt(connectStripe({ url, key, timeoutMs: 5_000, connections: 1 }), (it) => it.close())
      .stripe

  const statusOf = (url: string, key: string): Promise<number> =>
    clientOf(url, key)
      .paymentIntents.list({ limit: 1 })
      .then(
        () => 200,
        ({ statusCode }) => statusCode,
      )

  it('the simulator takes calls under both, and then under the new one only', async () => {
    const both = await startProvider([old, current])
    const removed = await startProvider([current])
    const statusesAt = (url: string) =>
      Promise.all([old, current, unknown].map((key) => statusOf(url, key)))

    assert.deepEqual(await statusesAt(both), [200, 200, 401])
    assert.deepEqual(await statusesAt(removed), [401, 200, 401])
  })

  it('payment takes events that either secret has signed, and then those of the new one only', async () => {
    const body = JSON.stringify({ id: 'evt_1', object: 'event', type: 'customer.created' })
    const never = () => assert.fail('this event changes nothing')
    const receiver = (secrets: string[]) =>
      createWebhooks({
        stripe: clientOf('http://127.0.0.1:1', old),
        repository: { recordCapture: never, recordReversal: never },
        ...{ secrets, toleranceSeconds: 300, metrics: createMetrics('payment'), logger },
      })
    const isTaken = (secrets: string[]) =>
      Promise.all(
        [old, current, unknown].map((secret) => {
          const signature = signatureOf(body, secret, Math.floor(Date.now() / 1_000))
          return receiver(secrets)
            .receive(Buffer.from(body), signature)
            .then(
              () => true,
              ({ kind }) => kind,
            )
        }),
      )

    assert.deepEqual(await isTaken([old, current]), [true, true, 'invalid'])
    assert.deepEqual(await isTaken([current]), ['invalid', true, 'invalid'])
  })
})

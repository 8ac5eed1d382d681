import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { createMetrics } from '../../shared/runtime/metrics.ts'
import { createProviderGuard } from './provider-guard.ts'

describe('the metrics of calls of the provider', () => {
  it('tell the kind and the outcome of each, also of those that were not made', async () => {
    const metrics = createMetrics('payment')
    const guard = createProviderGuard({ slots: 4, timeoutMs: 50, openMs: 60_000, metrics })
    const payer = () => ({ customerId: newId(), method: 'card' })
    const never = () => new Promise<never>(() => undefined)
    const fail = () => Promise.reject(new Error('500'))
    const outcomes = async () => {
      const text = await metrics.registry.metrics()
      const pattern = /_call_duration_seconds_count\{.*kind="(\w+)".*outcome="(\w+)".*\} (\d+)/g
      return [...text.matchAll(pattern)].map(([, ...parts]) => parts.join(' '))
    }

    await guard.call('prepare', payer(), async () => 'done')
    await assert.rejects(guard.call('capture', payer(), never))
    for (let call = 0; call < 4; call++) await assert.rejects(guard.call('capture', payer(), fail))
    await assert.rejects(guard.call('capture', payer(), fail))
    assert.deepEqual(await outcomes(), [
      ...['prepare answered 1', 'capture timeout 1', 'capture failed 4', 'capture circuit 1'],
    ])

    const text = await metrics.registry.metrics()
    assert.match(text, /^payment_provider_failures_total\S* 5$/m)
    assert.match(text, /^payment_provider_refused_calls_total\{by="circuit",\S* 1$/m)
  })
})

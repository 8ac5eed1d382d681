import assert from 'node:assert/strict'
import { Registry } from 'prom-client'
import type { PurchaseEnded } from '../../shared/contracts/events.ts'
import { firstIdAt, newId, timeOfId } from '../../shared/contracts/ids.ts'
import { createPurchaseMetrics } from './metrics.ts'

describe('the metrics of purchases', () => {
  const at = (ms: number) => new Date(ms).toISOString()

  async function samples(registry: Registry, pattern: RegExp): Promise<Record<string, number>> {
    const lines = (await registry.metrics()).split('\n').filter((line) => pattern.test(line))
    return Object.fromEntries(
      lines.map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))]
      }),
    )
  }

  it('tell for each step, forward or undo, how long after the one before it was answered', async () => {
    const registry = new Registry()
    const id = newId()
    const start = timeOfId(id)
    const ended: PurchaseEnded = {
      purchase_id: id,
      customer_id: newId(),
      status: 'REJECTED',
      reason: 'payment_declined',
      failed_step: 'take-payment',
      steps: [
        { step: 'reserve-stock', outcome: 'done', reason: null, at: at(start + 500) },
        {
          ...{ step: 'take-payment', outcome: 'rejected', reason: 'payment_declined' },
          at: at(start + 2_000),
        },
        { step: 'release-stock', outcome: 'done', reason: null, at: at(start + 2_250) },
        { step: 'a step of another version', outcome: 'done', reason: null, at: at(start + 9_000) },
      ],
    }

    createPurchaseMetrics(registry).ended(ended, start + 250)

    assert.deepEqual(await samples(registry, /^saga_step_duration_seconds_sum/), {
      'saga_step_duration_seconds_sum{step="reserve-stock",direction="do",outcome="done"}': 0.25,
      'saga_step_duration_seconds_sum{step="take-payment",direction="do",outcome="rejected"}': 1.5,
      'saga_step_duration_seconds_sum{step="release-stock",direction="undo",outcome="done"}': 0.25,
    })
    assert.deepEqual(await samples(registry, /^purchases_ended_total/), {
      'purchases_ended_total{status="REJECTED",reason="payment_declined"}': 1,
    })
  })

  it('count an end that was never released without a saga', async () => {
    const registry = new Registry()

    createPurchaseMetrics(registry).ended(
      {
        ...{ purchase_id: newId(), customer_id: null, status: 'CANCELLED' },
        ...{ reason: null, failed_step: null },
      },
      null,
    )

    assert.deepEqual(await samples(registry, /^(saga|purchase)_duration_seconds_count/), {
      'purchase_duration_seconds_count{status="CANCELLED"}': 1,
    })
  })

  it('tell what became of purchases that were accepted, and how long they waited for their turn', async () => {
    const registry = new Registry()
    const metrics = createPurchaseMetrics(registry)
    const before = timeOfId(newId())

    metrics.accepted('released')
    metrics.accepted('queued')
    metrics.accepted('queued')
    metrics.released(firstIdAt(before - 40_000))

    assert.deepEqual(await samples(registry, /^purchases_accepted_total/), {
      'purchases_accepted_total{as="released"}': 1,
      'purchases_accepted_total{as="queued"}': 2,
    })
    const waited = await samples(registry, /^purchase_admission_wait_seconds_bucket/)
    assert.equal(waited['purchase_admission_wait_seconds_bucket{le="30"}'], 0)
    assert.equal(waited['purchase_admission_wait_seconds_bucket{le="300"}'], 1)
  })
})

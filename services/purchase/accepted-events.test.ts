import assert from 'node:assert/strict'
import { waitFor } from '../../scripts/wait-for.ts'
import { newId } from '../../shared/ids.ts'
import { createLogger } from '../../shared/logger.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import { createAcceptedEvents } from './accepted-events.ts'
import type { PurchaseRow } from './repository.ts'

/** Customers who stay at the door until they are sent away. */
function crowdOf(size: number, serve: <T>(customer: () => Promise<T>) => Promise<T>) {
  const gate = Promise.withResolvers<void>()
  const served = Array.from({ length: size }, () => serve(() => gate.promise))
  return {
    async leave() {
      gate.resolve()
      await Promise.all(served)
    },
  }
}

describe('the event of an accepted purchase', () => {
  const accepted = buildPurchase()
  const id = accepted.purchase_id

  function open({ holdMs = 60_000, calmMs = 60_000, unpublished = [] as string[] } = {}) {
    const sent: string[] = []
    const noted: string[] = []
    const kafka = { isAway: false }
    const events = createAcceptedEvents({
      repository: {
        markPublished: async (ids) => void noted.push(...ids),
        unpublished: async () => unpublished.map((id) => ({ id }) as PurchaseRow),
      },
      publish: async (_topic, { key }) => {
        if (kafka.isAway) throw new Error('Kafka is away')
        sent.push(key)
      },
      logger: createLogger('purchase', 'silent'),
      holdMs,
      calmMs,
    })
    return { events, sent, noted, kafka }
  }

  it('is published at once as long as few are at the door', async () => {
    const { events, sent } = open()
    const few = crowdOf(3, events.serve)
    await events.publish(accepted)

    assert.deepEqual(sent, [id])
    await few.leave()
  })

  it('waits a moment when several are at the door, who may be the first of a crowd', async () => {
    const { events, sent } = open({ calmMs: 50 })
    const several = crowdOf(10, events.serve)
    await events.publish(accepted)
    const before = [...sent]

    await waitFor('the event', () => sent.length === 1)
    await several.leave()
    assert.deepEqual(before, [])
    assert.deepEqual(sent, [id])
  })

  it('waits while a crowd is there, and goes when that is gone', async () => {
    const { events, sent } = open({ calmMs: 50 })
    const crowd = crowdOf(30, events.serve)
    await events.publish(accepted)
    const before = [...sent]
    await crowd.leave()

    await waitFor('the event', () => sent.length === 1)
    assert.deepEqual(before, [])
    assert.deepEqual(sent, [id])
  })

  it('waits no longer than it may, however long the crowd stays', async () => {
    const { events, sent } = open({ holdMs: 20, calmMs: 50 })
    const crowd = crowdOf(30, events.serve)
    await events.publish(accepted)

    await waitFor('the event', () => sent.length === 1)
    await crowd.leave()
    assert.deepEqual(sent, [id])
  })

  it('is tried again, whatever its age, when Kafka did not take it', async () => {
    const { events, sent, kafka } = open()
    kafka.isAway = true
    await events.publish(accepted)
    await events.publishMissing()
    kafka.isAway = false
    await events.publishMissing()
    await events.publishMissing()

    assert.deepEqual(sent, [id])
  })

  it('is not made up for while it is held, and goes before the process does', async () => {
    const other = newId()
    const { events, sent, noted } = open({ unpublished: [id, other] })
    const crowd = crowdOf(30, events.serve)
    await events.publish(accepted)
    await events.publishMissing()
    const before = [...sent]
    await events.close()

    assert.deepEqual(before, [other])
    assert.deepEqual(sent, [other, id])
    assert.deepEqual(noted, [other, id])
    await crowd.leave()
  })
})

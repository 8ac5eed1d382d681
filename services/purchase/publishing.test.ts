import assert from 'node:assert/strict'
import { releasedAtHeader } from '../../shared/contracts/envelope.ts'
import type { PurchaseAccepted } from '../../shared/contracts/events.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { noStartLimits } from '../../test/helpers/purchase-service.ts'
import { buildPurchase } from '../../test/helpers/purchases.ts'
import { createPublishing } from './publishing.ts'
import type { PurchaseRow } from './repository.ts'

describe('the event of an accepted purchase', () => {
  const accepted = buildPurchase()
  const id = accepted.purchase_id

  function open({
    unpublished = [] as string[],
    pages = [] as PurchaseAccepted[][],
    cancelRequested = false,
  } = {}) {
    const sent: string[] = []
    const noted: string[] = []
    const releasedAt: (string | undefined)[] = []
    const state = { kafkaIsUnavailable: false, looks: 0 }
    const publishing = createPublishing({
      repository: {
        markPublished: async (ids) => void noted.push(...ids),
        unpublished: async () => unpublished.map((id) => ({ id }) as PurchaseRow),
        release: async () => {
          state.looks += 1
          const page = pages.shift() ?? []
          const released = page.map((accepted) => ({ accepted, cancelRequested }))
          return { released, next: pages.length > 0 ? id : undefined }
        },
      },
      publish: async (_topic, { key, headers = {} }) => {
        if (state.kafkaIsUnavailable) throw new Error('Kafka is unavailable')
        sent.push(key)
        releasedAt.push(headers[releasedAtHeader])
      },
      startLimits: noStartLimits,
      metrics: { released: () => undefined },
      logger: createLogger('purchase', 'silent'),
    })
    return { publishing, sent, noted, releasedAt, state }
  }

  it('is published when the purchase is released, page by page of those that wait', async () => {
    const [one, two, three] = [buildPurchase(), buildPurchase(), buildPurchase()]
    const { publishing, sent } = open({ pages: [[one, two], [], [three]] })
    await publishing.release()

    assert.deepEqual(
      sent,
      [one, two, three].map(({ purchase_id }) => purchase_id),
    )
  })

  it('says when it was released, unless a cancel request waits on the row', async () => {
    const from = Date.now()
    const one = open({ pages: [[buildPurchase()]] })
    await one.publishing.release()
    const cancelled = open({ pages: [[buildPurchase()]], cancelRequested: true })
    await cancelled.publishing.release()

    const [at = ''] = one.releasedAt
    assert.ok(Number(at) >= from && Number(at) <= Date.now(), at)
    assert.deepEqual(cancelled.releasedAt, [undefined])
  })

  it('is looked for once more when a purchase ends during a release, and by one process at a time', async () => {
    const { publishing, state } = open()
    const first = publishing.release()
    await Promise.all([publishing.release(), publishing.release(), first])

    assert.equal(state.looks, 2)
  })

  it('is looked for once for sixteen purchases that end, and soon for a single one', async () => {
    const { publishing, state } = open()
    for (let ended = 0; ended < 32; ended++) publishing.noteEnded(1)
    assert.equal(state.looks, 1)
    await waitFor('the second release', async () => state.looks === 2)

    publishing.noteEnded(1)
    assert.equal(state.looks, 2)
    await waitFor('the release of a single end', async () => state.looks === 3)
    await publishing.close()
  })

  it('is retried, whatever its age, when Kafka did not accept it', async () => {
    const { publishing, sent, state } = open()
    state.kafkaIsUnavailable = true
    await publishing.publishNow(accepted)
    await publishing.publishMissing()
    state.kafkaIsUnavailable = false
    await publishing.publishMissing()
    await publishing.publishMissing()

    assert.deepEqual(sent, [id])
  })

  it('is not published again as missing before its publication is noted', async () => {
    const { publishing, sent, noted } = open({ unpublished: [id] })
    await publishing.publishNow(accepted)
    await publishing.publishMissing()
    await publishing.close()

    assert.deepEqual(sent, [id])
    assert.deepEqual(noted, [id])
  })
})

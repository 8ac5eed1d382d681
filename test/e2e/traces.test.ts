import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { openShop } from '../../bench/load.ts'
import { type ReceivedSpan, receiveSpans } from '../../scripts/stack/observe/otlp.ts'
import { expectStatus } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type OwnStack, startOwnStack } from '../helpers/own-stack.ts'

/** Every process sends its spans once a second, when it gets to it. */
const patienceMs = 90_000

describe('the trace of a purchase', function () {
  this.timeout(600_000)

  const open = new AsyncDisposableStack()
  const spans: ReceivedSpan[] = []
  const bought = new Set<string>()
  let own: OwnStack
  let shop: Awaited<ReturnType<typeof openShop>>

  before(async () => {
    const receiver = open.adopt(
      await receiveSpans(0, async (received) => void spans.push(...received)),
      (it) => it.close(),
    )
    own = open.adopt(
      await startOwnStack({ otlp: { endpoint: receiver.endpoint, share: '0' } }),
      (it) => it.close(),
    )
    shop = await openShop(own.stack.urls.api, 1)
  })

  after(() => open.disposeAsync())

  /** Buys as a client that has a trace of its own, which makes the shop keep it. */
  async function buy(method: string): Promise<string> {
    const traceId = randomBytes(16).toString('hex')
    bought.add(traceId)
    const order_items = [{ product_id: shop.products[0]?.id ?? '', quantity: 1 }]
    const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`
    const answer = await shop.customer.buy({ order_items, method }, undefined, { traceparent })
    expectStatus(answer, 202)
    return traceId
  }

  const of = (traceId: string) => spans.filter((span) => span.traceId === traceId)

  /** The services from a span up to the root, each once for a number of spans in a row. */
  function wayTo(span: ReceivedSpan): string[] {
    const byId = new Map(of(span.traceId).map((one) => [one.spanId, one]))
    const way: string[] = []
    for (let at: ReceivedSpan | undefined = span; at; at = byId.get(at.parentId)) {
      if (way[0] !== at.service) way.unshift(at.service)
    }
    return way
  }

  /** The way to a span, when the spans of all processes have come: each sends its own once a second. */
  const wholeWayTo = (span: ReceivedSpan) =>
    waitFor(
      `the way to ${span.name}`,
      () => {
        const way = wayTo(span)
        return way[0] === 'traefik' && way
      },
      patienceMs,
    )

  it('leads by parentage from the gateway through every process to the mail server', async () => {
    const traceId = await buy('sim_ok')
    const smtp = await waitFor(
      'the mail in the trace',
      () => of(traceId).find(({ name }) => name === 'smtp send'),
      patienceMs,
    )
    const captured = await waitFor(
      'the provider in the trace',
      () => of(traceId).find(({ service, kind }) => service === 'provider' && kind === 'SERVER'),
      patienceMs,
    )

    const toSaga = ['traefik', 'purchase', 'orchestrator']
    const way = await wholeWayTo(smtp)
    // The reply to the payment ends the saga, or, on a slow machine, a later task of the workflow.
    const reply = way.includes('payment') ? ['payment', 'orchestrator'] : []
    assert.deepEqual(way, [...toSaga, ...reply, 'account', 'mail'])
    assert.deepEqual(await wholeWayTo(captured), [...toSaga, 'payment', 'provider'])
    const fromEvery = () => {
      const services = new Set(of(traceId).map(({ service }) => service))
      return ['order', 'product', 'account', 'mail'].every((service) => services.has(service))
    }
    await waitFor('the spans of every process', fromEvery, patienceMs)
    const isWhole = () => {
      const ids = new Set(of(traceId).map(({ spanId }) => spanId))
      const first = of(traceId).filter(({ parentId }) => !ids.has(parentId))
      return first.length === 1 && first[0]?.service === 'traefik'
    }
    await waitFor('every span but the first to have its parent', isWhole, patienceMs)
  })

  it('has the refusal, and every undo as a span of its participant', async () => {
    const traceId = await buy('sim_declined')
    const undo = (service: string, command: string) =>
      waitFor(
        `${command} in the trace`,
        () =>
          of(traceId).find((span) => span.service === service && span.name.endsWith(` ${command}`)),
        patienceMs,
      )

    for (const [service, command] of [
      ['payment', 'refundPayment'],
      ['order', 'cancelOrder'],
      ['product', 'releaseStock'],
    ] as const) {
      const way = await wholeWayTo(await undo(service, command))
      assert.deepEqual(way, ['traefik', 'purchase', 'orchestrator', service])
    }
  })

  it('is kept only for a purchase that is sampled', async () => {
    const order_items = [{ product_id: shop.products[0]?.id ?? '', quantity: 1 }]
    const answer = await shop.customer.buy({ order_items, method: 'sim_ok' })
    const { purchase_id } = expectStatus(answer, 202)
    const { status } = await shop.customer.waitForEnd(purchase_id)
    assert.equal(status, 'COMPLETED')
    // Its mail leaves after all of the other.
    const traceId = await buy('sim_ok')
    await waitFor(
      'the mail of the sampled one',
      () => of(traceId).some(({ name }) => name === 'smtp send'),
      patienceMs,
    )

    assert.deepEqual(
      spans.filter((span) => !bought.has(span.traceId)),
      [],
    )
  })
})

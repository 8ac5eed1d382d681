import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Customer, registerCustomer } from '../../scripts/stack/shop-client.ts'
import type {
  DeadLetterDetails,
  DeadLetterSummary,
  OperatorSession,
  Overview,
} from '../../shared/contracts/console.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { SagaSummary } from '../../shared/contracts/operator.ts'
import type { Problem } from '../../shared/contracts/problem.ts'
import type { SagaDetails } from '../../shared/contracts/saga-details.ts'
import { commandSteps, doNames, undoOf } from '../../shared/contracts/steps.ts'
import { connectRawProducer } from '../../shared/kafka/raw-messages.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { operate, operatorEvents } from '../helpers/operator-client.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

type List<T> = { items: T[]; next_cursor: string | null }

describe('the console of operators, on its own entry point', function () {
  this.timeout(240_000)

  let customer: Customer
  let productId: string

  before(async () => {
    const { urls } = await testStack()
    customer = await registerCustomer(urls.api)
    productId = (await sellTea(customer)).id
  })

  async function buy(method = 'sim_ok'): Promise<string> {
    const order_items = [{ product_id: productId, quantity: 2 }]
    return (await customer.buy({ order_items, method })).body.purchase_id
  }

  /**
   * The details once order and stock are settled, which happens after the customer sees the end, and once every service
   * has answered in time.
   */
  const settled = (id: string) =>
    waitFor('the settlement', async () => {
      const { body } = await operate<SagaDetails>('GET', `/sagas/${id}/details`)
      const held = body.stock.some(({ status }) => status === 'HELD')
      const ended = body.saga.state === 'COMPLETED' && body.unavailable.length === 0
      return ended && body.order?.status !== 'PENDING' && !held && body
    })

  it('signs a browser in by a token, and acts for pages of its own origin only', async () => {
    const { urls } = await testStack()
    const begun = await operate<OperatorSession>('POST', '/console/session')
    const cookie = begun.cookie?.split(';')[0] ?? ''
    const shown = await operate<OperatorSession>('GET', '/console/session', { headers: { cookie } })
    const end = (headers: Record<string, string>) =>
      operate<Problem>('POST', '/console/session/end', { headers: { cookie, ...headers } })

    assert.match(begun.cookie ?? '', /HttpOnly; SameSite=Strict/)
    assert.equal(shown.body.operator, 'local')
    assert.ok(Date.parse(shown.body.expires_at ?? '') > Date.now())
    assert.ok(shown.body.temporal_url.startsWith(urls.temporalUi))
    assert.equal((await end({ origin: urls.api })).status, 403)
    assert.equal((await end({ origin: urls.operators })).status, 204)
    assert.equal((await operate('GET', '/console/session', { headers: {} })).status, 401)
  })

  it('shows one purchase that completed: what was asked and answered, and what each service stores', async () => {
    const id = await buy()
    await customer.waitForEnd(id)

    const details = await settled(id)

    const steps = doNames.map((name) => commandSteps[name].step)
    for (const kind of ['command', 'reply'] as const) {
      const shown = details.timeline.filter((entry) => entry.kind === kind).map(({ step }) => step)
      assert.deepEqual([...new Set(shown)], steps, kind)
    }
    const times = details.timeline.map(({ at }) => at)
    assert.deepEqual(times, times.toSorted())
    assert.equal(details.timeline[0]?.kind, 'started')
    assert.equal(details.timeline.at(-1)?.kind, 'ended')
    assert.equal(details.purchase?.status, 'COMPLETED')
    assert.deepEqual(
      details.purchase?.steps.map(({ name }) => name),
      steps,
    )
    assert.equal(details.order?.status, 'CONFIRMED')
    assert.deepEqual(
      [details.payment?.status, details.payment?.provider_status],
      ['CAPTURED', 'CAPTURED'],
    )
    assert.deepEqual(
      details.stock.map(({ status, quantity }) => [status, quantity]),
      [['SOLD', 2]],
    )
    const [stock = assert.fail()] = details.stock
    assert.equal(stock.received, stock.stock + stock.held + stock.sold)
    assert.deepEqual(details.unavailable, [])
    assert.ok(details.temporal_url?.includes(`/workflows/purchase-${id}/`))
  })

  it('shows one purchase that was declined, with its undos', async () => {
    const id = await buy('sim_declined')
    await customer.waitForEnd(id)

    const details = await settled(id)

    const undone = details.timeline.filter(({ kind, undo }) => undo && kind === 'reply')
    assert.deepEqual(
      new Set(undone.map(({ step }) => step)),
      new Set(doNames.map((name) => commandSteps[undoOf[name]].step)),
    )
    assert.ok(
      details.timeline.some(({ detail }) => detail === 'rejected: payment_declined'),
      JSON.stringify(details.timeline),
    )
    assert.deepEqual([details.order?.status, details.stock[0]?.status], ['CANCELLED', 'RELEASED'])
  })

  it('finds sagas by customer and time', async () => {
    const id = await buy()
    const { body: purchase } = await customer.get<{ created_at: string }>(`/purchases/${id}`)
    const customerId = await waitFor('the customer', async () => {
      const { body } = await operate<SagaDetails>('GET', `/sagas/${id}/details`)
      return body.purchase?.customer_id
    })
    const find = async (query: string) =>
      (await operate<List<SagaSummary>>('GET', `/sagas?customer_id=${customerId}&${query}`)).body
        .items
    const from = new Date(Date.parse(purchase.created_at) - 1_000).toISOString()

    const found = await waitFor('the index', async () => {
      const items = await find(`started_from=${from}`)
      return items.some((saga) => saga.purchase_id === id) && items
    })
    assert.ok(found.every(({ started_at }) => (started_at ?? '') >= from))
    assert.deepEqual(await find(`started_to=2020-01-01T00:00:00Z`), [])
    const { status, body } = await operate<Problem>('GET', '/sagas?customer_id=1&started_from=now')
    assert.equal(status, 400)
    assert.deepEqual(body.errors?.map(({ field }) => field).sort(), ['customer_id', 'started_from'])
  })

  it('shows how all purchases stand, live', async () => {
    const body = await waitFor('every part to be told in time', async () => {
      const { body: shown } = await operate<Overview>('GET', '/console/overview')
      return shown.unavailable.length === 0 && shown
    })
    assert.ok(body.open && body.per_minute)

    let told = false
    const reading = operatorEvents<Overview>(
      '/console/overview/events',
      ({ data }) => (data.per_minute?.started ?? 0) > (body.per_minute?.started ?? 0),
    ).finally(() => {
      told = true
    })
    // More than the old ones that stop counting meanwhile.
    const buying = (async () => {
      while (!told) await Promise.all(Array.from({ length: 5 }, () => buy()))
    })()
    const [{ status, events }] = await Promise.all([reading, buying])

    assert.equal(status, 200)
    assert.ok(events.length >= 1)
    const ids = events.map(({ id }) => id)
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    assert.ok((events.at(-1)?.data.per_minute?.started ?? 0) > body.per_minute.started)
  })

  it('shows one saga live until nothing of it changes any more, and then tells the browser to stop', async () => {
    const id = await buy()
    const { events } = await operatorEvents<SagaDetails>(`/sagas/${id}/events`, () => false)
    const last = events.at(-1)
    const again = await operatorEvents(`/sagas/${id}/events`, () => false, {
      'last-event-id': `${last?.id}`,
    })

    assert.equal(last?.data.purchase?.status, 'COMPLETED')
    assert.equal(last?.data.order?.status, 'CONFIRMED')
    assert.deepEqual([again.status, again.events], [204, []])
    const unknown = await operate<Problem>('GET', `/sagas/${newId()}/events`)
    assert.equal(unknown.status, 404)
  })

  it('lists, shows, discards and replays dead letters, and keeps who did it', async () => {
    const { urls } = await testStack()
    await using producer = Object.assign(await connectRawProducer(urls.kafkaBrokers), {
      [Symbol.asyncDispose]: () => producer.close(),
    })
    const key = newId()
    await producer.send('emails', { key, value: 'garbage', headers: { name: 'any' } })
    const list = async (query: string) =>
      (await operate<List<DeadLetterSummary>>('GET', `/dead-letters?${query}`)).body.items
    const found = await waitFor(
      'the dead letter',
      async () => (await list(`topic=emails&purchase_id=${key}`))[0],
    )
    const path = `/${found.id}`
    const after = new Date(Date.parse(found.time) + 1).toISOString()
    const inTime = await list(`purchase_id=${key}&created_from=${found.time}&created_to=${after}`)
    const later = await list(`purchase_id=${key}&created_from=${after}`)

    const shown = await operate<DeadLetterDetails>('GET', path)
    const withoutNote = await operate<Problem>('POST', `${path}/discard`, { body: {} })
    const discarded = await operate<DeadLetterDetails>('POST', `${path}/discard`, {
      body: { note: 'put in by a test' },
    })
    const twice = await operate<Problem>('POST', `${path}/discard`, { body: { note: 'again' } })

    assert.deepEqual([inTime, later], [[found], []])
    assert.equal(shown.body.value, 'garbage')
    assert.equal(shown.body.headers.name, 'any')
    assert.deepEqual([withoutNote.status, withoutNote.body.errors?.[0]?.field], [400, 'note'])
    assert.deepEqual([discarded.body.state, discarded.body.operator], ['discarded', 'local'])
    assert.equal(twice.status, 409)
    const [kept] = await list(`state=discarded&purchase_id=${key}`)
    assert.deepEqual([kept?.note, kept?.operator], ['put in by a test', 'local'])
    assert.equal((await operate('GET', '/dead-letters/0/999999')).status, 404)
    assert.equal((await operate('GET', '/dead-letters/x/1')).status, 400)
  })

  it('leads to every operation of its document, and to none without a token', async () => {
    const { urls } = await testStack()
    const api = `${urls.operators}/api/v1`
    const document = (await (await fetch(`${api}/console/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { security?: object[] }>>
    }
    // The lab does not run beside the tests' stack.
    const operations = Object.entries(document.paths)
      .filter(([path]) => !path.startsWith('/lab'))
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { security }]) => ({ path, method, security })),
      )
      .filter(({ security }) => security?.length !== 0)

    assert.ok(operations.length >= 15)
    for (const { path, method } of operations) {
      const url = api + path.replaceAll(/{\w+}/g, randomUUID())
      const { status } = await fetch(url, { method: method.toUpperCase() })
      assert.equal(status, 401, `${method} ${path}`)
    }
  })

  it('has only what a service answers, and nothing else', async () => {
    const { urls } = await testStack()
    for (const path of ['/api/v1/products', '/api/v1/account/login', '/metrics', '/health/live']) {
      assert.equal((await fetch(urls.operators + path)).status, 404, path)
    }
  })
})

import assert from 'node:assert/strict'
import { buyUntilAnswered } from '../../scripts/stack/buy-until-answered.ts'
import type { Stack } from '../../scripts/stack/client.ts'
import { type Customer, registerCustomer } from '../../scripts/stack/shop-client.ts'
import { commandNames, commandSteps, doNames } from '../../shared/contracts/steps.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { testStack } from '../helpers/stack.ts'
import { createStreamReaders, type StreamReader } from '../helpers/stream-reader.ts'
import { sellTea } from '../helpers/tea.ts'

/** As many as one process serves; a customer may have a tenth of them. */
const streams = 500
const customers = 10
const patienceMs = 120_000
const methods = ['sim_ok', 'sim_declined'] as const
const readersOfEach = streams / customers / methods.length

const stepsOf = (names: readonly (keyof typeof commandSteps)[]) =>
  names.map((name) => commandSteps[name].step)

/** Every step once and in order. One that no participant answered may be known at the end only. */
function assertWhole({ told }: StreamReader): void {
  const end = told.at(-1)
  assert.equal(end?.event, 'end')
  const steps = told.slice(0, -1).map(({ data }) => data)
  const answered = steps.filter(({ outcome }) => outcome !== 'timeout').map(({ name }) => name)
  const expected = stepsOf(end.data.status === 'COMPLETED' ? doNames : commandNames)
  assert.deepEqual(steps.map(({ name }) => name).sort(), expected.toSorted())
  assert.deepEqual(
    answered,
    expected.filter((name) => answered.includes(name)),
  )
}

describe('500 event streams of one purchase service', function () {
  this.timeout(600_000)

  let stack: Stack
  let readers: ReturnType<typeof createStreamReaders>
  let buyers: Customer[]
  let productId: string

  before(async () => {
    stack = await testStack()
    const { api } = stack.urls
    readers = createStreamReaders(api, 400_000)
    buyers = await Promise.all(Array.from({ length: customers }, () => registerCustomer(api)))
    productId = (await sellTea(buyers[0] as Customer)).id
  })
  after(async () => {
    await readers.close()
    await stack.ensure()
  })

  async function buy(buyer: Customer, method: string): Promise<string> {
    const body = { order_items: [{ product_id: productId, quantity: 1 }], method }
    const { purchaseId } = await buyUntilAnswered(buyer, body, { patienceMs })
    assert.ok(purchaseId)
    return purchaseId
  }

  /** A purchase of each customer by each method, and all its readers. */
  async function buyAndRead(): Promise<StreamReader[]> {
    const open = buyers.flatMap((buyer) =>
      methods.map(async (method) => {
        const id = await buy(buyer, method)
        return Array.from({ length: readersOfEach }, () => readers.read(id, buyer.token))
      }),
    )
    return (await Promise.all(open)).flat()
  }

  it('tell every reader every step once and in order, though the service is killed in the middle', async () => {
    // So that every purchase waits for its payment until all readers are there.
    await stack.stopProcess('payment')
    const open = await buyAndRead()
    await waitFor(
      'all to be in the middle',
      () => open.every(({ told }) => told.length > 1),
      patienceMs,
    )

    await stack.signal('purchase', 'SIGKILL')
    await stack.startProcess('payment')
    await Promise.all(open.map(({ done }) => done))

    assert.equal(open.length, streams)
    for (const reader of open) {
      assert.ok(reader.told.some(({ id }) => id === reader.opened[1]))
      assertWhole(reader)
    }
  })
})

import assert from 'node:assert/strict'
import { type Customer, expectStatus, registerCustomer } from '../../scripts/stack/shop-client.ts'
import type { Purchase, PurchaseStep } from '../../shared/contracts/purchase.ts'
import { commandNames, commandSteps } from '../../shared/contracts/steps.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

const rounds = 20
const unfinished = ['ACCEPTED', 'PROCESSING', 'CANCELLING']
const everyStep = commandNames.map((name) => commandSteps[name].step)

describe('the story of a declined purchase', function () {
  this.timeout(300_000)

  let api: string
  let buyer: Customer
  let productId: string

  before(async () => {
    api = (await testStack()).urls.api
    buyer = await registerCustomer(api)
    productId = (await sellTea(buyer)).id
  })

  async function buy(): Promise<string> {
    const order_items = [{ product_id: productId, quantity: 1 }]
    return expectStatus(await buyer.buy({ order_items, method: 'sim_declined' }), 202).purchase_id
  }

  /** The first answer that shows the end, asked for without a pause. */
  async function firstTerminalAnswer(id: string): Promise<Purchase> {
    for (;;) {
      const purchase = await buyer.getPurchase(id)
      if (!unfinished.includes(purchase.status)) return purchase
    }
  }

  /** The events of a stream that is read to its end. */
  async function readStream(
    id: string,
  ): Promise<{ event: string; data: PurchaseStep & Purchase }[]> {
    const response = await fetch(`${api}/api/v1/purchases/${id}/events`, {
      headers: { authorization: `Bearer ${buyer.token}` },
    })
    assert.equal(response.status, 200)
    const events = (await response.text()).split('\n\n').filter((text) => /^event: /m.test(text))
    return events.map((text) => ({
      event: /^event: (.*)$/m.exec(text)?.[1] ?? '',
      data: JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '{}'),
    }))
  }

  function assertWhole(steps: PurchaseStep[]): void {
    assert.deepEqual(
      steps.map(({ name }) => name),
      everyStep,
    )
    const times = steps.map(({ at }) => at)
    assert.deepEqual(times, times.toSorted())
  }

  it('is whole in the first answer that shows its end, every time', async () => {
    for (let round = 0; round < rounds; round++) {
      assertWhole((await firstTerminalAnswer(await buy())).steps)
    }
  })

  it('is whole in every event stream, and in the end that it tells', async () => {
    for (let round = 0; round < rounds; round++) {
      const events = await readStream(await buy())
      const end = events.at(-1)

      assertWhole(events.filter(({ event }) => event === 'step').map(({ data }) => data))
      assert.equal(end?.event, 'end')
      assertWhole(end?.data.steps ?? [])
    }
  })
})

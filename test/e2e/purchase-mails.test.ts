import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Customer, expectStatus, registerCustomer } from '../../scripts/stack/shop-client.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { type CaughtMail, mailsTo } from '../helpers/mailbox.ts'
import { testStack } from '../helpers/stack.ts'

describe('the mails about a purchase, through every service', function () {
  this.timeout(180_000)

  let api: string
  let buyer: Customer
  const sellers: Customer[] = []
  const names = [`Tea ${randomUUID()}`, `Cup ${randomUUID()}`]
  let purchaseId: string

  const mailNamed = (to: string, subject: string): Promise<CaughtMail> =>
    waitFor(`${subject} to ${to}`, async () =>
      (await mailsTo(to)).find((mail) => mail.subject === subject),
    )

  before(async () => {
    api = (await testStack()).urls.api
    buyer = await registerCustomer(api)
    const order_items: { product_id: string; quantity: number }[] = []
    for (const name of names) {
      const seller = await registerCustomer(api)
      sellers.push(seller)
      const category = await seller.createCategory('Tea')
      const product = await seller.createProduct({
        ...{ category_id: category.id, name, description: 'Leaves', brand_name: 'Hill' },
        ...{ price: 125_000, inventory: 10 },
      })
      order_items.push({ product_id: product.id, quantity: order_items.length + 1 })
    }
    purchaseId = expectStatus(await buyer.buy({ order_items }), 202).purchase_id
    await buyer.waitForEnd(purchaseId)
  })

  it('tell the buyer what was bought, what it costs and where it goes', async () => {
    const { text } = await mailNamed(buyer.email, 'Your purchase is complete')

    assert.match(text, new RegExp(`1 × ${names[0]}[^]*2 × ${names[1]}[^]*Total: VND 375,000`))
    assert.match(text, /Lan Nguyen\n {4}123 quan 9\n {4}0110213813/)
    assert.match(text, new RegExp(`/purchases/${purchaseId}`))
  })

  it('tell each seller of the own products, and of no others', async () => {
    for (const [index, seller] of sellers.entries()) {
      const { text } = await mailNamed(seller.email, 'You sold something')

      assert.ok(text.includes(names[index] ?? 'none'))
      assert.ok(!text.includes(names[1 - index] ?? 'none'))
      assert.match(text, /123 quan 9/)
    }
  })
})

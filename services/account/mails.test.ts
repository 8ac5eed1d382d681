import assert from 'node:assert/strict'
import { newId } from '../../shared/contracts/ids.ts'
import { pagePaths } from '../../shared/contracts/pages.ts'
import type { ReceiptMessage } from '../../shared/grpc/services.ts'
import { soldMail } from './mails.ts'

describe('the mail about a sale', () => {
  const [own, other] = [newId(), newId()]
  const sale = { seller_id: newId(), product_ids: [own] }
  const receipt: ReceiptMessage = {
    ...{ purchase_id: newId(), status: 'COMPLETED', amount: 350, currency_code: 'VND' },
    lines: [
      { product_id: own, quantity: 2, name: 'Tea', unit_price: 125 },
      { product_id: other, quantity: 1, name: 'Cup', unit_price: 100 },
    ],
    delivery: null,
    sales: [sale],
  }
  const addressee = { email: 'lan@example.com', firstName: 'Lan' }
  const writing = { seal: (text: string) => text, publicUrl: 'https://shop.example' }

  function write() {
    const mail = soldMail(receipt, sale, addressee, writing)
    assert.ok(mail.template === 'product-sold')
    return mail
  }

  it('leads to the page of what was sold', () => {
    const { data } = write()

    assert.equal(data.link, 'https://shop.example/sales')
    assert.ok(pagePaths.includes('/sales'))
  })

  it('tells the lines of its seller only', () => {
    const { data, key } = write()

    assert.deepEqual(data.receipt?.lines, [{ name: 'Tea', quantity: 2, unit_price: 125 }])
    assert.equal(data.receipt?.amount, 250)
    assert.equal(key, `${receipt.purchase_id}/product-sold/${sale.seller_id}`)
  })
})

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { render } from './render.ts'

describe('a mail about a purchase', () => {
  const purchase_id = randomUUID()
  const link = `https://shop.example/purchases/${purchase_id}`
  const delivery = { name: 'Mai Nguyễn', address: '12 Lê Lợi\nHuế', phone_number: '0901234567' }
  const receipt = {
    lines: [
      { name: 'Tea cup', quantity: 2, unit_price: 125_000 },
      { name: 'Pot <b>', quantity: 1, unit_price: 7 },
    ],
    amount: 250_007,
    currency_code: 'VND',
    delivery: JSON.stringify(delivery),
  }
  const data = { first_name: 'Mai', purchase_id, receipt, link }
  const mail = <T extends EmailRequested['template']>(template: T, values: object = data) =>
    render({ key: 'k', to: 'mai@example.com', template, data: values } as EmailRequested)

  it('shows lines, quantities, the total with its currency, the address and a link', () => {
    const { text } = mail('purchase-completed')

    assert.ok(
      text.includes(`    2 × Tea cup, VND 125,000 each: VND 250,000
    1 × Pot <b>, VND 7 each: VND 7
    Total: VND 250,007

Delivery to:

    Mai Nguyễn
    12 Lê Lợi Huế
    0901234567

See the purchase:
${link}
`),
      text,
    )
  })

  it('shows the same as HTML, with nothing that mail programs block', () => {
    const { html } = mail('purchase-completed')

    assert.match(html, /2 × Tea cup, VND 125,000 each<\/td><td [^>]*>VND 250,000<\/td>/)
    assert.match(html, /1 × Pot &lt;b&gt;, VND 7 each/)
    assert.match(html, /<strong>VND 250,007<\/strong>/)
    assert.match(html, /Mai Nguyễn<br>12 Lê Lợi Huế<br>0901234567/)
    assert.ok(html.includes(`<a href="${link}">See the purchase</a>`))
    assert.doesNotMatch(html, /<script|<style|<link|<img|url\(|class=/)
  })

  it('writes amounts with the decimals of their currency', () => {
    const inDollars = { ...receipt, currency_code: 'USD', amount: 250_007 }

    const { text } = mail('purchase-completed', { ...data, receipt: inDollars })

    assert.ok(text.includes('Total: USD 2,500.07'), text)
  })

  it('leads nowhere but to the shop, whatever products and customers are called', () => {
    const names = ['www.evil.example', 'https://evil.example/x', 'Mail me@evil.example', 'evil.com']
    const lines = names.map((name) => ({ name, quantity: 1, unit_price: 1 }))
    const evil = JSON.stringify({ ...delivery, address: 'see https://evil.example now' })

    const { text, html } = mail('purchase-completed', {
      ...data,
      receipt: { ...receipt, lines, delivery: evil },
    })

    for (const rendered of [text, html]) {
      const links = rendered.replaceAll(link, '').match(/https?:\/\/\w|www\.\w|\w@\w|\w\.com/g)
      assert.equal(links, null)
    }
  })

  it('says nothing of a delivery when the purchase was not made', () => {
    for (const template of ['purchase-rejected', 'purchase-cancelled'] as const) {
      const { text } = mail(template, {
        ...data,
        ...(template === 'purchase-rejected' && { reason: null }),
      })
      assert.ok(text.includes('2 × Tea cup'))
      assert.ok(!text.includes('Lê Lợi'))
    }
  })

  it('is short when it was requested by an older version', () => {
    const { text } = mail('purchase-completed', { first_name: 'Mai', purchase_id })

    assert.ok(text.includes(purchase_id))
    assert.ok(!text.includes('Total'))
  })

  it('tells the customer how much goes back, and where to look', () => {
    const { subject, text, html } = mail('payment-refunded', {
      ...{ first_name: 'Mai', purchase_id, link },
      ...{ amount: 250_007, currency_code: 'VND' },
    })

    assert.equal(subject, 'You are getting money back')
    for (const shown of ['VND 250,007', purchase_id, link]) {
      assert.ok(text.includes(shown), text)
      assert.ok(html.includes(shown), html)
    }
  })

  it('tells a seller what was sold and where to deliver', () => {
    const { subject, text } = mail('product-sold')

    assert.equal(subject, 'You sold something')
    assert.match(
      text,
      /2 × Tea cup[\s\S]*Total: VND 250,007[\s\S]*Lê Lợi[\s\S]*Open your seller pages/,
    )
  })
})

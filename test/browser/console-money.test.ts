import assert from 'node:assert/strict'
import type { BrowserContext, Page } from 'playwright-core'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import type { RefundSaga } from '../../shared/contracts/operator.ts'
import type { ProviderEvent } from '../../shared/contracts/payment.ts'
import type { RefundRecord } from '../../shared/contracts/refund.ts'
import type { SagaDetails } from '../../shared/contracts/saga-details.ts'
import { waitFor } from '../../shared/runtime/wait-for.ts'
import { operate } from '../helpers/operator-client.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'
import { signInOperator } from './operators.ts'
import { openBrowser, pageDeadlineMs, seriousFindings } from './visitors.ts'

describe('the console, about money that goes back', function () {
  this.timeout(240_000)

  const open = new AsyncDisposableStack()
  let base: string
  let page: Page

  before(async () => {
    base = (await testStack()).urls.operators
    const { browser } = open.adopt(await openBrowser(), (it) => it.close())
    const context = open.adopt(await browser.newContext(), (it: BrowserContext) => it.close())
    context.setDefaultTimeout(pageDeadlineMs)
    page = await context.newPage()
    await signInOperator(page)
  })
  after(() => open.disposeAsync())

  /** A completed purchase of 250; its id. */
  async function buy(): Promise<string> {
    const { urls } = await testStack()
    const customer = await registerCustomer(urls.api)
    const product = await sellTea(customer, 10)
    const order_items = [{ product_id: product.id, quantity: 2 }]
    const { body } = await customer.buy({ order_items })
    assert.equal((await customer.waitForEnd(body.purchase_id)).status, 'COMPLETED')
    return body.purchase_id
  }

  async function refund(payment_id: string): Promise<string> {
    const { secrets } = await testStack()
    const { status, body } = await operate<RefundRecord>('POST', '/refunds', {
      body: { payment_id, amount: 100, reason: 'It came with a dent' },
      headers: {
        authorization: `Bearer ${secrets.operatorToken}`,
        'idempotency-key': newId(),
      },
    })
    assert.equal(status, 202)
    return body.id
  }

  const sagaOf = async (refundId: string) =>
    (await operate<RefundSaga>('GET', `/refund-sagas/${refundId}`)).body

  it('leads from a purchase to its refund, and shows the steps of its saga', async () => {
    const purchaseId = await buy()
    await page.goto(`${base}/console/sagas/${purchaseId}`)
    await page.getByRole('heading', { name: 'What the services store' }).waitFor()
    assert.equal(await page.getByRole('heading', { name: 'Refunds' }).count(), 0)
    const refundId = await refund(purchaseId)
    const isRefunded = async () => (await sagaOf(refundId)).state === 'COMPLETED'
    await waitFor('the refund', isRefunded, pageDeadlineMs)

    await page.reload()
    await page.getByRole('link', { name: `Refund ${refundId}` }).click()
    const details = page.getByRole('region', { name: `Refund ${refundId}` })
    await details.getByText('return-money: done').waitFor()
    assert.match((await details.locator('pre').textContent()) ?? '', /It came with a dent/)
    assert.equal(await page.getByLabel('Purchase', { exact: true }).inputValue(), purchaseId)
    // The list is loaded for itself.
    await page.locator('tbody tr').first().waitFor()
    assert.equal(await page.locator('tbody tr').count(), 1)
    assert.deepEqual(await seriousFindings(page), [])
  })

  it('gives money of a completed purchase back, and no more than is left', async () => {
    const purchaseId = await buy()
    await page.goto(`${base}/console/sagas/${purchaseId}`)
    const giveBack = page.getByRole('button', { name: 'Give back' })
    await page.getByLabel('Amount in minor units').fill('251')
    await page.getByLabel('Reason').fill('The seller does not answer')
    await giveBack.click()
    await page.getByText('is more than the 250 that are left to refund').first().waitFor()
    assert.deepEqual(await seriousFindings(page), [])

    await page.getByLabel('Amount in minor units').fill('100')
    await giveBack.click()
    await page.getByRole('link', { name: /^Refund / }).waitFor()
    const path = `/refunds?payment_id=${purchaseId}`
    const { body } = await operate<{ items: RefundRecord[] }>('GET', path)

    assert.deepEqual(
      body.items.map(({ amount, restock, reason, seller_id }) => [
        ...[amount, restock, reason, seller_id],
      ]),
      [[100, false, 'The seller does not answer', null]],
    )
  })

  it('narrows each list to days', async () => {
    await refund(await buy())
    for (const list of ['refunds', 'provider-events', 'dead-letters']) {
      await page.goto(`${base}/console/${list}`)
      const [day, start] = await page.evaluate(() => {
        const next = new Date()
        next.setDate(next.getDate() + 2)
        const parts = [next.getFullYear(), next.getMonth() + 1, next.getDate()]
        const text = parts.map((part) => String(part).padStart(2, '0')).join('-')
        return [text, new Date(`${text}T00:00`).toISOString()]
      })
      const asking = page.waitForRequest((request) => {
        const { pathname, searchParams } = new URL(request.url())
        const asked = searchParams.get('created_from') === start
        return asked && pathname === `/api/v1/${list}`
      })
      await page.getByLabel('From').fill(day ?? '')
      await asking
      await page.getByText('There is none.').waitFor()
    }
    await page.goto(`${base}/console/refunds`)
    await page.getByLabel('To', { exact: true }).fill('2020-01-01')
    await page.getByText('There is none.').waitFor()
    await page.getByLabel('To', { exact: true }).fill('')
    await page.locator('tbody tr').first().waitFor()
  })

  it('lists what other hands did at the payment provider', async () => {
    const purchaseId = await buy()
    const referenceOf = async () => {
      const { body } = await operate<SagaDetails>('GET', `/sagas/${purchaseId}/details`)
      // A service that does not answer in time is left out.
      return body.payment?.provider_reference
    }
    const reference = await waitFor('the reference', referenceOf, pageDeadlineMs)
    const { urls, secrets } = await testStack()
    const { status } = await fetch(`${urls.provider}/v1/refunds`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secrets.provider.key}` },
      body: new URLSearchParams({ payment_intent: reference, amount: '70' }),
    })
    assert.equal(status, 200)
    const isReported = async () => {
      const path = '/provider-events?outcome=OUTSIDE'
      const { body } = await operate<{ items: ProviderEvent[] }>('GET', path)
      return body.items.some((one) => one.reference === reference)
    }
    await waitFor('the event', isReported, pageDeadlineMs)

    await page.getByRole('link', { name: 'Provider events' }).click()
    await page.getByRole('heading', { name: 'Provider events' }).waitFor()
    const row = page.getByRole('row').filter({ hasText: reference })
    await row.getByText('charge.refunded').waitFor()
    await row.getByRole('link', { name: purchaseId }).waitFor()
  })
})

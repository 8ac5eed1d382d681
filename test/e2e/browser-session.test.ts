import assert from 'node:assert/strict'
import { request } from 'undici'
import { registerCustomer } from '../../scripts/stack/shop-client.ts'
import type { BrowserSession } from '../../shared/contracts/account.ts'
import type { Personal } from '../../shared/contracts/personal-data.ts'
import { testStack } from '../helpers/stack.ts'
import { sellTea } from '../helpers/tea.ts'

const password = 'correct horse battery'

/** What a browser does: keeps cookies by path, and says where a request comes from. */
function createBrowser(shop: string) {
  const cookies = new Map<string, { value: string; path: string; text: string }>()

  async function send(
    method: 'GET' | 'POST',
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ) {
    const full = `/api/v1${path}`
    const sent = [...cookies].filter(([, { path: of, value }]) => value && full.startsWith(of))
    const response = await request(shop + full, {
      method,
      headers: {
        'sec-fetch-site': 'same-origin',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(sent.length > 0 && {
          cookie: sent.map(([name, { value }]) => `${name}=${value}`).join('; '),
        }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    for (const text of [response.headers['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      cookies.set(name, { value, path: /Path=([^;]+)/.exec(text)?.[1] ?? '/', text })
    }
    const type = String(response.headers['content-type'])
    const answer = await response.body.text()
    return {
      status: response.statusCode,
      text: answer,
      body: (type.includes('json') ? JSON.parse(answer) : undefined) as BrowserSession & Personal,
    }
  }

  return { send, cookies }
}

describe('the session of a browser', function () {
  this.timeout(120_000)

  let shop: string
  let email: string
  let browser: ReturnType<typeof createBrowser>
  let registered: BrowserSession

  beforeEach(async () => {
    shop = (await testStack()).urls.api
    email = `browser-${process.hrtime.bigint()}@example.com`
    browser = createBrowser(shop)
    const { status, body } = await browser.send('POST', '/account/session/register', {
      body: {
        ...{ email, password, first_name: 'Mai', last_name: 'Lan' },
        ...{ address: '12 Hue', phone_number: '0123456789' },
      },
    })
    assert.equal(status, 201)
    registered = body
  })

  it('gives scripts an access token, and keeps the rest in cookies that they cannot read', async () => {
    assert.deepEqual(Object.keys(registered).sort(), ['access_token', 'expires_in', 'token_type'])
    assert.deepEqual([...browser.cookies.keys()].sort(), ['shop_refresh', 'shop_stream'])
    for (const { text } of browser.cookies.values()) {
      assert.match(text, /; HttpOnly(;|$)/)
      assert.match(text, /; SameSite=Strict(;|$)/)
      assert.match(text, /; Path=\/api\/v1\/(account\/session|purchases)(;|$)/)
      assert.doesNotMatch(text, /Domain=/)
    }
  })

  it('is continued with the cookie alone, whose token is another one each time', async () => {
    const before = browser.cookies.get('shop_refresh')?.value

    const { status, body } = await browser.send('POST', '/account/session/refresh')

    assert.equal(status, 200)
    assert.notEqual(browser.cookies.get('shop_refresh')?.value, before)
    const personal = await browser.send('GET', '/account/customer/personal', {
      headers: { authorization: `Bearer ${body.access_token}` },
    })
    assert.equal(personal.body.email, email)
  })

  it('is not continued without a cookie or with one that is not known', async () => {
    const stranger = createBrowser(shop)

    const without = await stranger.send('POST', '/account/session/refresh')
    const forged = await stranger.send('POST', '/account/session/refresh', {
      headers: { cookie: 'shop_refresh=q3Zk0b8vT1mXw5y7' },
    })

    assert.equal(without.status, 401)
    assert.equal(forged.status, 401)
  })

  it('is opened, continued and ended by pages of the shop only', async () => {
    const foreign: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin: shop.replace(/\d+$/, '4711') },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'same-origin', origin: 'null' },
    ]
    const before = browser.cookies.get('shop_refresh')?.value
    for (const headers of foreign) {
      const answers = await Promise.all([
        browser.send('POST', '/account/session/refresh', { headers }),
        browser.send('POST', '/account/session/login', { headers, body: { email, password } }),
        browser.send('POST', '/account/session/logout', {
          headers: { ...headers, authorization: `Bearer ${registered.access_token}` },
        }),
      ])
      assert.deepEqual(
        answers.map(({ status }) => status),
        [403, 403, 403],
        JSON.stringify(headers),
      )
    }
    assert.equal(browser.cookies.get('shop_refresh')?.value, before)
    assert.equal((await browser.send('POST', '/account/session/refresh')).status, 200)
  })

  it('knows its own origin where the browser says no more than that', async () => {
    const { status } = await browser.send('POST', '/account/session/refresh', {
      headers: { 'sec-fetch-site': 'same-origin', origin: shop },
    })

    assert.equal(status, 200)
  })

  it('ends with its cookies', async () => {
    const kept = browser.cookies.get('shop_refresh')?.value

    const { status } = await browser.send('POST', '/account/session/logout', {
      headers: { authorization: `Bearer ${registered.access_token}` },
    })

    assert.equal(status, 204)
    assert.ok([...browser.cookies.values()].every(({ value }) => value === ''))
    const again = await browser.send('POST', '/account/session/refresh', {
      headers: { cookie: `shop_refresh=${kept}` },
    })
    assert.equal(again.status, 401)
  })

  describe("the token of a browser's event streams", () => {
    let own: string

    beforeEach(async () => {
      const seller = await registerCustomer(shop)
      const product = await sellTea(seller)
      const accepted = await request(`${shop}/api/v1/purchases`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${registered.access_token}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({
          order_items: [{ product_id: product.id, quantity: 1 }],
          payment: { currency_code: 'VND' },
        }),
      })
      assert.equal(accepted.statusCode, 202)
      own = ((await accepted.body.json()) as { purchase_id: string }).purchase_id
    })

    it('opens the stream of an own purchase, and goes on after the last event that was seen', async () => {
      const all = await browser.send('GET', `/purchases/${own}/events`)
      const rest = await browser.send('GET', `/purchases/${own}/events`, {
        headers: { 'last-event-id': '20' },
      })

      const ids = (text: string) =>
        [...text.matchAll(/^id: (?:\d+-)*(\d+)$/gm)].map(([, id]) => Number(id))
      assert.equal(all.status, 200)
      assert.deepEqual(
        ids(rest.text),
        ids(all.text).filter((id) => id > 20),
      )
      assert.equal(ids(all.text).at(-1), 1_000)
    })

    it('opens nothing else: no purchase, no order, no write', async () => {
      const token = browser.cookies.get('shop_stream')?.value ?? ''
      await browser.send('GET', `/purchases/${own}/events`)
      const cookie = `shop_stream=${token}`

      const carriers: Record<string, string>[] = [{ cookie }, { authorization: `Bearer ${token}` }]
      for (const headers of carriers) {
        const answers = await Promise.all([
          browser.send('GET', `/purchases/${own}`, { headers }),
          browser.send('GET', '/orders', { headers }),
          browser.send('GET', '/account/customer/personal', { headers }),
          browser.send('POST', `/purchases/${own}/cancel`, { headers }),
        ])
        assert.deepEqual(
          answers.map(({ status }) => status),
          [401, 401, 401, 401],
        )
      }
      const bearer = { authorization: `Bearer ${token}` }
      assert.equal(
        (await browser.send('GET', `/purchases/${own}/events`, { headers: bearer })).status,
        401,
      )
    })

    it('is no access token in a cookie', async () => {
      await browser.send('GET', `/purchases/${own}`, {
        headers: { authorization: `Bearer ${registered.access_token}` },
      })

      const { status } = await browser.send('GET', `/purchases/${own}/events`, {
        headers: { cookie: `shop_stream=${registered.access_token}` },
      })

      assert.equal(status, 401)
    })

    it("opens no stranger's stream", async () => {
      const stranger = createBrowser(shop)
      await stranger.send('POST', '/account/session/register', {
        body: {
          ...{ email: `x${email}`, password, first_name: 'Mai', last_name: 'Lan' },
          ...{ address: '12 Hue', phone_number: '0123456789' },
        },
      })

      assert.equal((await stranger.send('GET', `/purchases/${own}/events`)).status, 404)
    })
  })
})

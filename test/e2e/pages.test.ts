import assert from 'node:assert/strict'
import { request } from 'undici'
import { pagePaths } from '../../shared/contracts/pages.ts'
import { testStack } from '../helpers/stack.ts'

type Answer = { status: number; headers: Record<string, unknown>; text: string }

describe('the front end at the entry point', () => {
  let shop: string
  let cdn: string
  let script: string

  async function get(
    path: string,
    headers: Record<string, string> = {},
    method: 'GET' | 'HEAD' | 'POST' = 'GET',
  ): Promise<Answer> {
    const { statusCode, headers: answered, body } = await request(shop + path, { method, headers })
    return { status: statusCode, headers: answered, text: await body.text() }
  }

  before(async () => {
    const { urls } = await testStack()
    shop = urls.api
    cdn = urls.cdn
    const { text } = await get('/')
    script = text.match(/src="(\/assets\/[^"]+\.js)"/)?.[1] ?? 'none'
  })

  for (const path of pagePaths) {
    it(`answers ${path} with a page that may load its own files and pictures of the CDN only`, async () => {
      const { status, headers } = await get(path.replace(':id', 'some-id'), { accept: 'text/html' })

      assert.equal(status, 200)
      assert.match(String(headers['content-type']), /^text\/html/)
      assert.equal(headers['cache-control'], 'no-cache')
      const policy = String(headers['content-security-policy'])
      assert.match(policy, /default-src 'none'/)
      assert.ok(policy.includes(`img-src 'self' ${cdn}`), policy)
      assert.doesNotMatch(policy, /unsafe|\*|data:|https:/)
    })
  }

  it('is kept by caches for ever where its name changes with its content', async () => {
    const { status, headers } = await get(script)

    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable')
    assert.match(String(headers['content-type']), /javascript/)
  })

  it('is sent compressed as the client can take it, with the length of what is sent', async () => {
    const plain = await get(script)
    for (const encoding of ['br', 'gzip']) {
      const { headers } = await get(script, { 'accept-encoding': encoding }, 'HEAD')

      assert.equal(headers['content-encoding'], encoding)
      assert.equal(headers.vary, 'Accept-Encoding')
      assert.ok(Number(headers['content-length']) < plain.text.length / 2)
    }
  })

  it('answers 304 to a client that has it, and HEAD without a body', async () => {
    const { headers, text } = await get('/')

    const again = await get('/', { 'if-none-match': String(headers.etag) })
    const head = await get('/', {}, 'HEAD')

    assert.equal(again.status, 304)
    assert.equal(head.status, 200)
    assert.equal(head.text, '')
    assert.equal(Number(head.headers['content-length']), text.length)
  })

  it('ignores a range, whatever it says', async () => {
    for (const range of ['bytes=5-2', 'bytes=999999999-', 'nonsense']) {
      assert.equal((await get(script, { range })).status, 200, range)
    }
  })

  it('answers an unknown page with 404, to a person as a page and to a program as a problem', async () => {
    const person = await get('/no/such/page', { accept: 'text/html,*/*' })
    const program = await get('/no/such/page')

    assert.equal(person.status, 404)
    assert.match(person.text, /<div id="app">/)
    assert.equal(program.status, 404)
    assert.match(String(program.headers['content-type']), /^application\/problem\+json/)
  })

  it('leaves an unknown path of the API a problem, to a browser as well', async () => {
    for (const path of ['/api/v1/nothing', '/api', '/api/v2/products']) {
      const { status, headers } = await get(path, { accept: 'text/html' })

      assert.equal(status, 404, path)
      assert.match(String(headers['content-type']), /^application\/problem\+json/, path)
    }
  })

  it('takes no method that writes', async () => {
    const { status, headers } = await get('/', { accept: 'text/html' }, 'POST')

    assert.equal(status, 404)
    assert.match(String(headers['content-type']), /^application\/problem\+json/)
  })

  it('gives no file outside its folder', async () => {
    for (const path of ['/..%2f..%2fpackage.json', '/%2e%2e/%2e%2e/package.json', '/.env']) {
      assert.equal((await get(path)).status, 404, path)
    }
  })
})

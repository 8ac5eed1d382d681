import assert from 'node:assert/strict'
import { Client } from 'minio'
import type { Stack } from '../../scripts/stack/client.ts'
import { newId } from '../../shared/contracts/ids.ts'
import { imageFile } from '../helpers/media-files.ts'
import { testStack } from '../helpers/stack.ts'

const policy = "sandbox; default-src 'none'"

describe('the CDN', () => {
  let stack: Stack
  let storage: Client
  let image: Buffer
  let url: string

  before(async () => {
    stack = await testStack()
    const { hostname: endPoint, port } = new URL(stack.urls.minio)
    const { minio } = stack.secrets
    storage = new Client({ endPoint, port: Number(port), useSSL: false, ...minio })
    image = await imageFile('png')
    const id = newId()
    await storage.putObject('images', id, image, image.length, { 'Content-Type': 'image/png' })
    url = `${stack.urls.cdn}/images/${id}`
  })

  function read(address: string, init: RequestInit = {}) {
    return fetch(address, { redirect: 'manual', ...init })
  }

  it('serves an object as the data that it is: it runs nothing, and its type is the stored one', async () => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await read(url, { method })

      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('content-type'), 'image/png')
      assert.equal(answer.headers.get('content-security-policy'), policy)
      assert.equal(answer.headers.get('content-disposition'), 'inline')
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      assert.equal(answer.headers.get('server'), null)
      const content = Buffer.from(await answer.arrayBuffer())
      assert.ok(content.equals(method === 'GET' ? image : Buffer.alloc(0)))
    }
  })

  it('serves ranges, so that a video can be wound', async () => {
    const range = await read(url, { headers: { range: 'bytes=1-3' } })

    assert.equal(range.status, 206)
    assert.equal(await range.text(), 'PNG')
    assert.equal(range.headers.get('content-range'), `bytes 1-3/${image.length}`)
  })

  it('lets no reader choose the type or anything else of an answer: a query leads to the object without it', async () => {
    const queries = [
      'response-content-type=text/html',
      'RESPONSE-CONTENT-TYPE=text/html',
      'response%2Dcontent-type=text/html',
      'a;response-content-type=text/html',
      'x=1&response-content-disposition=attachment',
      'response-cache-control=no-store',
      'versionId=null',
      'acl',
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=x',
      '',
    ]
    for (const query of queries) {
      const answer = await read(`${url}?${query}`)
      assert.equal(answer.status, 301, query)
      assert.equal(answer.headers.get('location'), url)
      assert.equal(answer.headers.get('content-security-policy'), policy)
    }
    const followed = await fetch(`${url}?response-content-type=text/html`)
    assert.equal(followed.headers.get('content-type'), 'image/png')
  })

  it('answers pages of any origin, without credentials', async () => {
    const origin = 'https://shop.example'

    const answer = await read(url, { headers: { origin } })
    const preflight = await read(url, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET' },
    })

    for (const { headers } of [answer, preflight]) {
      assert.equal(headers.get('access-control-allow-origin'), '*')
      assert.equal(headers.get('access-control-allow-credentials'), null)
    }
    assert.match(answer.headers.get('access-control-expose-headers') ?? '', /Content-Range/)
    assert.equal(preflight.headers.get('access-control-allow-methods'), 'GET,HEAD')
  })

  it('has no address but those of objects, and no method that writes', async () => {
    const { cdn } = stack.urls
    for (const path of [
      ...['/', '/images', '/images/', '/videos/', '/images/x', '/minio/health/ready'],
      ...['/minio/v2/metrics/cluster', '/minio/admin/v3/info', '/.minio.sys/config/config.json'],
      ...[`/other/${newId()}`, `/images/${newId()}/x`, `/images//${newId()}`],
    ]) {
      assert.equal((await read(cdn + path)).status, 404, path)
    }
    assert.equal((await read(`${cdn}/images/${newId()}`)).status, 404)
    for (const method of ['PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS']) {
      assert.equal((await read(url, { method })).status, 404, method)
    }
    assert.ok(Buffer.from(await (await read(url)).arrayBuffer()).equals(image))
  })

  it('stands before buckets that nobody may list or write without keys', async () => {
    const { minio } = stack.urls
    for (const bucket of ['images', 'videos']) {
      assert.equal((await read(`${minio}/${bucket}/`)).status, 403)
      const put = await read(`${minio}/${bucket}/${newId()}`, { method: 'PUT', body: 'x' })
      assert.equal(put.status, 403)
    }
  })

  it('takes no keys: signed requests go nowhere', async () => {
    const presigned = await storage.presignedGetObject('images', url.split('/').at(-1) ?? '')
    const { search } = new URL(presigned)

    const signed = await read(`${url}${search}`)
    const authorized = await read(url, { headers: { authorization: 'AWS4-HMAC-SHA256 x' } })

    assert.equal(signed.status, 301)
    assert.equal(authorized.status, 200)
  })
})

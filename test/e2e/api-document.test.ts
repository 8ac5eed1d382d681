import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request } from '../../scripts/stack/shop-client.ts'
import { createOpenApiDocument } from '../../shared/http/openapi.ts'
import { apiDocument } from '../helpers/api-document.ts'
import { testStack } from '../helpers/stack.ts'

describe('the API’s document, through Traefik', () => {
  let api: string

  before(async () => {
    api = (await testStack()).urls.api
  })

  it('is the one that the contracts make', async () => {
    const { document } = await apiDocument()

    assert.deepEqual(document, JSON.parse(JSON.stringify(createOpenApiDocument())))
  })

  it('has only what a service answers', async () => {
    const { document } = await apiDocument()
    const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
    )

    const answers = await Promise.all(
      operations.map(async ([method, template]) => {
        const path = template.replace('{id}', randomUUID())
        const { status, headers, body } = await request(api, method as 'GET', path)
        return { what: `${method} ${template}`, status, type: headers['content-type'], body }
      }),
    )

    assert.ok(answers.length > 20)
    for (const { what, status, type, body } of answers) {
      assert.ok(status < 500, `${what}: ${status}`)
      // Traefik answers in plain text where it knows no way.
      assert.match(type ?? '', /^application\/(problem\+)?json/, what)
      assert.notEqual((body as { detail?: string }).detail, 'no such path or method', what)
    }
  })

  it('knows what is no path of it', async () => {
    const { check } = await apiDocument()
    const answer = await request(api, 'GET', '/products/x/y')

    assert.equal(answer.status, 404)
    assert.equal((answer.body as { detail?: string }).detail, 'no such path or method')
    assert.throws(() =>
      check({ ...answer, method: 'GET', path: '/products/x/y', contentType: 'application/json' }),
    )
  })

  it('has a page whose files all come from the shop itself', async () => {
    const page = await fetch(`${api}/docs`)
    const html = await page.text()
    const files = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, file = '']) => file)

    assert.equal(page.status, 200)
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/)
    assert.equal(files.length, 4)
    for (const file of files) {
      const answer = await fetch(api + file)
      assert.equal(answer.status, 200, file)
      assert.match(answer.headers.get('content-type') ?? '', /javascript|css|png/, file)
    }
    const start = await (await fetch(`${api}/docs/start.js`)).text()
    assert.ok(start.includes('"/api/v1/openapi.json"'))
  })

  it('has a page that its own security policy lets work, over HTTP too', async () => {
    const page = await fetch(`${api}/docs`)

    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /script-src 'self';/)
    assert.doesNotMatch(policy, /upgrade-insecure-requests/)
    assert.doesNotMatch(await page.text(), /<script>|<style|style=|\son\w+=/)
  })

  it('lets nobody read other files through its page', async () => {
    for (const path of ['/docs/package.json', '/docs/..%2fpackage.json', '/docs/swagger-ui.js']) {
      assert.equal((await fetch(api + path)).status, 404, path)
    }
  })
})

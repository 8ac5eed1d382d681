import assert from 'node:assert/strict'
import { readDocument, rowsOf } from './markdown.ts'

/** Where the tests of a file are named: plain, and with something filled in. */
const titles = /\bit\(\s*(['"`])(.+?)\1,/g

/** Whether a title of the document, with `…` for what differs, is that of a test in its file. */
function matches(title: string, source: string): boolean {
  const found = [...source.matchAll(titles)].map(([, , text = '']) =>
    text.replace(/\$\{.*?\}/g, '…'),
  )
  return found.includes(title)
}

describe('docs/security.md', () => {
  it('names tests that exist, at least one for each risk', async () => {
    const rows = rowsOf(
      await readDocument('docs/security.md'),
      'risk',
      'ASVS',
      'what holds',
      'test',
    )
    const missing: string[] = []
    for (const { risk, test } of rows) {
      const links = [...test.matchAll(/\[([^\]]+)\]\([^)]+\)((?: “[^”]+”)+)/g)]
      assert.ok(links.length > 0, risk)
      assert.equal(links.length, test.split('](').length - 1, `${risk}: a file without a title`)
      for (const [, path = '', names = ''] of links) {
        const source = await readDocument(path)
        const all = [...names.matchAll(/“([^”]+)”/g)].map(([, title = '']) => title)
        missing.push(
          ...all.filter((title) => !matches(title, source)).map((title) => `${path}: ${title}`),
        )
      }
    }

    assert.ok(rows.length >= 13)
    assert.deepEqual(missing, [])
  })
})

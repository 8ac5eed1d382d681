import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { checkout, codes, readDocument, rowsOf } from './markdown.ts'

describe('docs/admission.md', () => {
  let text: string
  let sources: Map<string, string>

  before(async () => {
    text = await readDocument('docs/admission.md')
    const paths = await Array.fromAsync(glob('{shared,services}/**/*.ts', { cwd: checkout }))
    const code = paths.filter((path) => !path.endsWith('.test.ts'))
    sources = new Map(
      await Promise.all(code.map(async (path) => [path, await readDocument(path)] as const)),
    )
  })

  it('gives every constant the value that it has in the file beside it', () => {
    const named = text.split('\n').flatMap((line, index, lines) => {
      const near = [line, lines[index + 1] ?? ''].join(' ')
      const file = /\.\.\/((?:shared|services)\/[\w/.-]+\.ts)/.exec(near)?.[1] ?? ''
      return codes(line)
        .filter((code) => /^\w+ = /.test(code))
        .map((code) => ({ code, file }))
    })

    assert.ok(named.length >= 12)
    for (const { code, file } of named) {
      assert.ok(sources.get(file)?.includes(`const ${code}\n`), `${code} in ${file}`)
    }
  })

  it('lists every limit whose refusals are counted, and no other', () => {
    const counted = [...sources.values()].flatMap((source) =>
      [...source.matchAll(/(?:httpShed|shed)\.labels\('(\w+)'\)/g)].map(([, name]) => name),
    )
    const listed = rowsOf(
      text,
      'limit',
      'value',
      'of one client',
      'answer beyond it',
      '`limit`',
      'where',
    ).flatMap((row) => codes(row['`limit`']))

    assert.deepEqual([...new Set(listed)].sort(), [...new Set(counted)].sort())
  })

  it('names metrics and variables that exist', () => {
    const all = [...sources.values()].join('\n')
    const names = codes(text).filter((code) => /^([a-z]+_)+total$|^[A-Z]+(_[A-Z]+)+$/.test(code))

    assert.ok(names.length > 8)
    for (const name of names.filter((code) => code !== 'RESOURCE_EXHAUSTED')) {
      assert.ok(all.includes(name), name)
    }
  })
})

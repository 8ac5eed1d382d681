import assert from 'node:assert/strict'
import { glob } from 'node:fs/promises'
import { checkout, codes, readDocument } from './markdown.ts'

async function readSources(): Promise<string> {
  const files = await Array.fromAsync(
    glob('{services,shared}/**/*.ts', { cwd: checkout, exclude: ['**/*.test.ts'] }),
  )
  return (await Promise.all(files.map(readDocument))).join('\n')
}

describe('docs/runbook.md', () => {
  let text: string
  let sources: string

  before(async () => {
    text = await readDocument('docs/runbook.md')
    sources = await readSources()
  })

  it('quotes log messages that the services write', () => {
    const quoted = [...text.matchAll(/\blogs `([^`]+)`/g)].map(([, message = '']) => message)

    assert.ok(quoted.length > 1)
    assert.deepEqual(
      quoted.filter((message) => !sources.includes(`'${message}'`)),
      [],
    )
  })

  it('names metrics and variables that exist', async () => {
    const metrics = await readDocument('docs/metrics.md')
    const configuration = await readDocument('docs/configuration.md')
    const named = codes(text).filter((code) => /^[a-zA-Z]+(_[a-zA-Z]+)+$/.test(code))
    const variables = named.filter((code) => code === code.toUpperCase())
    const counted = named.filter((code) => /_total$|^(purchases|sagas|unfinished)_/.test(code))

    assert.ok(variables.length > 2 && counted.length > 3)
    assert.deepEqual(
      [
        ...variables.filter((name) => !configuration.includes(`\`${name}\``)),
        ...counted.filter((name) => !metrics.includes(`\`${name}\``)),
      ],
      [],
    )
  })
})

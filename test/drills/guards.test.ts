import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { checkout, readDocument } from '../docs/markdown.ts'
import { guards } from './guards.ts'

describe('each guard', () => {
  for (const { mechanism, file, from } of guards) {
    it(`finds the code that it switches off: ${mechanism}`, async () => {
      assert.ok((await readDocument(file)).includes(from), `${file} has changed`)
    })
  }

  it('names files of tests that exist', () => {
    const named = guards.flatMap(({ tests }) => tests)

    assert.deepEqual(
      named.filter((test) => !existsSync(join(checkout, test))),
      [],
    )
  })
})

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { apiTypes, renderApiTypes } from '../../scripts/web/api-types.ts'

describe("the types of the front end's API client", () => {
  for (const { file, document } of apiTypes) {
    it(`follow from the OpenAPI document of today: ${basename(dirname(file))}`, async function () {
      // The generator may have to be installed.
      this.timeout(120_000)
      const current = await renderApiTypes(document)

      const committed = await readFile(file, 'utf8')

      assert.equal(committed, current, 'npm run web -- types writes them')
    })
  }
})

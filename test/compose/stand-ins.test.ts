import assert from 'node:assert/strict'
import { pinnedImages } from '../containers/images.ts'
import { readDocument, section, tables } from '../docs/markdown.ts'

describe('the stand-ins of npm run compose-test', () => {
  it('are those of all pinned images, and the document tells of each how it differs', async () => {
    const document = await readDocument('docs/compose-test.md')
    const [table] = tables(section(document, '## Stand-ins'))
    const documented = (table?.rows ?? []).flatMap(([images = '']) =>
      [...images.matchAll(/`([^`]+)`/g)].map(([, image]) => image),
    )

    const pinned = (await pinnedImages()).map((image) => image.replace(/:.*/, ''))

    assert.ok(pinned.length > 8)
    assert.deepEqual(documented.sort(), pinned.sort())
  })
})

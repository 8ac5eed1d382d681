import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { purchaseChecks } from '../../bench/rules.ts'
import {
  digestOf,
  readDigests,
  sourcesOf,
  subjectNames,
  subjects,
} from '../../scripts/docs/pictures/sources.ts'
import { checkout, listDocuments, readDocument } from './markdown.ts'

const folder = join(checkout, 'docs/pictures')
const maxBytes = 150_000
const files = subjectNames.flatMap((name): readonly string[] => subjects[name].files)

describe('docs/pictures', () => {
  it('is as the sources of what it shows are: after a change, run `npm run docs`', async () => {
    const digests = await readDigests()

    const old: string[] = []
    for (const name of subjectNames) if (digests[name] !== (await digestOf(name))) old.push(name)
    assert.deepEqual(old, [])
  })

  it('follows a page to the parts and styles that it is made of', async () => {
    const shown = [...(await sourcesOf(subjects.purchase.from)).keys()]

    for (const part of ['pages/purchase.tsx', 'parts/diagram.tsx', 'styles/diagram.css']) {
      assert.ok(shown.includes(`web/src/${part}`), part)
    }
    assert.ok(shown.includes('shared/contracts/steps.ts'))
    assert.ok(!shown.includes('web/src/pages/basket.tsx'))
    assert.ok(!shown.includes('web/src/api/schema.ts'))
  })

  it('follows the pictures of a saga to its workflow, and those of the console to what every page has', async () => {
    for (const name of ['temporal-ui', 'trace'] as const) {
      const shown = [...(await sourcesOf(subjects[name].from)).keys()]
      assert.ok(shown.includes('workflows/compensations.ts'), name)
      assert.ok(shown.includes('activities/ask.ts'), name)
    }
    for (const name of ['console', 'lab'] as const) {
      const shown = [...(await sourcesOf(subjects[name].from)).keys()]
      assert.ok(shown.includes('web/src/console/frame.tsx'), name)
    }
    assert.deepEqual(subjects.lab.texts, purchaseChecks)
  })

  it('follows the pictures of the boards to what they show and to how it is drawn', async () => {
    const shown = [...(await sourcesOf(subjects.boards.from)).keys()]

    for (const file of ['board-list.ts', 'board-grid.ts', 'pictures/boards/course.ts']) {
      assert.ok(shown.includes(`scripts/docs/${file}`), file)
    }
    assert.ok(shown.includes('scripts/docs/pictures/boards/legend.ts'))
    assert.ok(!shown.includes('lab/buyers.ts'))
  })

  it('has every picture and no other, each of 150 kB at most', async () => {
    const found = (await readdir(folder)).filter((name) => name !== 'digests.json')

    assert.deepEqual(found.sort(), [...files].sort())
    for (const file of found) assert.ok((await stat(join(folder, file))).size <= maxBytes, file)
  })

  it('is shown in the documents, with a text in place of each picture', async () => {
    const texts = await Promise.all((await listDocuments()).map(readDocument))
    const all = texts.join('\n')

    for (const file of files) assert.ok(all.includes(`pictures/${file}`), file)
    for (const [image] of all.matchAll(/<img [^>]*>/g)) assert.match(image, / alt="[^"]{10,}"/)
    for (const [image] of all.matchAll(/!\[[^\]]*\]\([^)]*\)/g)) assert.match(image, /^!\[.{10,}\]/)
  })
})

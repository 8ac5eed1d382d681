import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { anchorsOf, checkout, codes, fences, listDocuments, readDocument } from './markdown.ts'

const folders =
  /^(activities|bench|deploy|docs|lab|prisma|scripts|services|shared|temporal|test|web|workflows)\//

/** Why a link leads nowhere; undefined when it leads somewhere. */
async function brokenLink(document: string, link: string): Promise<string | undefined> {
  const [path = '', anchor] = link.split('#')
  const target = path ? join(dirname(document), path) : document
  if (!existsSync(join(checkout, target))) return `${document}: ${link}`
  if (anchor === undefined) return undefined
  return anchorsOf(await readDocument(target)).includes(anchor) ? undefined : `${document}: ${link}`
}

describe('the documents', () => {
  let texts: [string, string][]

  before(async () => {
    const paths = await listDocuments()
    texts = await Promise.all(
      paths.map(async (path): Promise<[string, string]> => [path, await readDocument(path)]),
    )
  })

  it('link to what exists', async () => {
    const links = texts.flatMap(([path, text]) =>
      [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => [path, link] as const),
    )
    const inside = links.filter(([, link]) => !/^\w+:/.test(link))

    const broken = await Promise.all(inside.map(([path, link]) => brokenLink(path, link)))

    assert.ok(inside.length > 10)
    assert.deepEqual(
      broken.filter((link) => link !== undefined),
      [],
    )
  })

  it('name files and folders that exist', () => {
    const missing = texts.flatMap(([path, text]) =>
      codes(text)
        .filter((code) => folders.test(code) && !/[<*…{ ]/.test(code))
        .filter((code) => !existsSync(join(checkout, code)))
        .map((code) => `${path}: ${code}`),
    )

    assert.deepEqual(missing, [])
  })

  it('name npm scripts that exist', async () => {
    const { scripts } = JSON.parse(await readDocument('package.json')) as {
      scripts: Record<string, string>
    }

    const named = texts.flatMap(([, text]) => {
      const commands = [...codes(text), ...fences(text, 'sh')].join('\n')
      return [...commands.matchAll(/npm (?:run )?([a-z][\w-]*)/g)].map(([, name = '']) => name)
    })
    const unknown = named.filter((name) => !Object.hasOwn(scripts, name))

    assert.ok(named.includes('start'))
    assert.deepEqual(unknown, [])
  })

  it('are as short as they promise', async () => {
    const lines = (path: string) => texts.find(([name]) => name === path)?.[1].split('\n').length

    assert.ok((lines('README.md') ?? 999) <= 215)
    assert.ok((lines('STYLE.md') ?? 999) < 120)
  })

  it('keep a changelog of what is not released yet', async () => {
    const changelog = await readDocument('CHANGELOG.md')

    assert.match(changelog, /^## \[Unreleased\]$/m)
    assert.match(changelog, /^### Added\n\n- /m)
  })

  it('number decisions from 1 without a gap, decision first, each on a page', async () => {
    const files = await readdir(join(checkout, 'docs/decisions'))
    const decisions = files.sort().map((file) => `docs/decisions/${file}`)
    const numbers = decisions.map((path) => Number(basename(path).slice(0, 4)))

    assert.deepEqual(
      numbers,
      decisions.map((_, index) => index + 1),
    )
    for (const [index, path] of decisions.entries()) {
      const text = await readDocument(path)
      assert.ok(text.startsWith(`# ${index + 1}. `), path)
      const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
      assert.deepEqual(headings, ['Decision', 'Context', 'Consequences'], path)
      assert.ok(text.split('\n').length <= 40, path)
    }
  })
})

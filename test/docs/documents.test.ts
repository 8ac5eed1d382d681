import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { checkout, codes, fences, listDocuments, readDocument } from './markdown.ts'

const folders = /^(activities|bench|docs|prisma|scripts|services|shared|temporal|test|workflows)\//

/** The anchor that a heading gets where Markdown is shown. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

/** Why a link leads nowhere; undefined when it leads somewhere. */
async function brokenLink(document: string, link: string): Promise<string | undefined> {
  const [path = '', anchor] = link.split('#')
  const target = path ? join(dirname(document), path) : document
  if (!existsSync(join(checkout, target))) return `${document}: ${link}`
  if (anchor === undefined) return undefined
  const headings = (await readDocument(target)).matchAll(/^#+ (.*)$/gm)
  const anchors = [...headings].map(([, heading = '']) => anchorOf(heading))
  return anchors.includes(anchor) ? undefined : `${document}: ${link}`
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

    assert.ok((lines('README.md') ?? 999) <= 201)
    assert.ok((lines('STYLE.md') ?? 999) < 120)
  })

  it('keep a changelog of what is not released yet', async () => {
    const changelog = await readDocument('CHANGELOG.md')

    assert.match(changelog, /^## \[Unreleased\]$/m)
    assert.match(changelog, /^### Added\n\n- /m)
  })

  it('number decisions without a gap, decision first, each on a page', () => {
    const decisions = texts
      .filter(([path]) => relative('docs/decisions', dirname(path)) === '')
      .sort(([a], [b]) => a.localeCompare(b))

    for (const [index, [path, text]] of decisions.entries()) {
      const number = index + 1
      assert.ok(basename(path).startsWith(`${String(number).padStart(4, '0')}-`), path)
      assert.ok(text.startsWith(`# ${number}. `), path)
      const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
      assert.deepEqual(headings, ['Decision', 'Context', 'Consequences'], path)
      assert.ok(text.split('\n').length <= 40, path)
    }
    assert.ok(decisions.length >= 17)
  })
})

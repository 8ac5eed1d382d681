import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { readDocument } from '../docs/markdown.ts'

const checkout = join(import.meta.dirname, '../..')
const sources =
  '{activities,bench,lab,prisma,provider,scripts,services,shared,temporal,test,workflows}/**/*.ts'
const imported = /\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g
/** All that people write as code, with tests and styles. */
const written =
  '{activities,bench,lab,prisma,provider,scripts,services,shared,temporal,test,web,workflows}/**/*.{ts,tsx,mjs,css}'
const maxLines = 300
/** Files that may be longer, each with the reason. */
const excused: Record<string, string> = {
  'web/src/api/schema.ts': 'generated from the API document',
  'web/src/console/schema.ts': 'generated from the API document of the console',
}
/** What the launcher offers to those who use a stack; docs/architecture.md lists it. */
const launcher = [
  ...['addresses.ts', 'buy-until-answered.ts', 'client.ts', 'observe/otlp.ts', 'process-use.ts'],
  ...['replicas.ts', 'services.ts', 'shop-client.ts', 'start.ts', 'table.ts'],
]

/** The top-level folder of a file. The launcher is a library apart from the commands; tests may use everything. */
function folderOf(file: string): string {
  if (file.endsWith('.test.ts')) return 'test'
  return file.startsWith('scripts/stack/') ? 'scripts/stack' : (file.split('/')[0] ?? '')
}

const files = globSync(sources, { cwd: checkout }).filter((file) => !file.includes('/client/'))
const textOf = (file: string) => readFileSync(join(checkout, file), 'utf8')

/** What a file imports of this project, by path from its root. */
const importsOf = (file: string) =>
  [...textOf(file).matchAll(imported)].map(([, path = '']) => normalize(join(dirname(file), path)))

/** Which folders each folder imports, with a file that does. */
function importsOfFolders(): Map<string, Map<string, string>> {
  const graph = new Map<string, Map<string, string>>()
  for (const file of files) {
    const from = folderOf(file)
    const targets = graph.get(from) ?? new Map<string, string>()
    graph.set(from, targets)
    for (const to of importsOf(file).map(folderOf)) {
      if (to !== from) targets.set(to, file)
    }
  }
  return graph
}

describe('the folders', () => {
  it('import each other in one direction', () => {
    const graph = importsOfFolders()
    const told = () =>
      [...graph].flatMap(([from, targets]) =>
        [...targets].map(([to, file]) => `${from} imports ${to} in ${file}`),
      )
    assert.ok(told().length > 20)
    // Without a cycle there is always a folder that imports none of those that are left.
    for (let removed = true; removed; ) {
      removed = false
      for (const [folder, targets] of graph) {
        for (const to of targets.keys()) if (!graph.has(to)) targets.delete(to)
        if (targets.size === 0) removed = graph.delete(folder)
      }
    }

    assert.deepEqual(told(), [])
  })

  it('connect tools to Temporal in one file, whose connections end their retries when they close', () => {
    const connecting = files.filter((file) => /\bConnection\.(?:connect|lazy)\(/.test(textOf(file)))

    assert.deepEqual(
      connecting.filter((file) => !file.endsWith('folders.test.ts')).sort(),
      // Services have the SDK's native connection, which retries in another way.
      ['temporal/connect.ts'],
    )
  })

  it('use the launcher by its interface, except for its own commands and tests', async () => {
    const users = files.filter((file) => !/^(?:scripts|scripts\/stack|test)$/.test(folderOf(file)))
    const used = new Set(
      users.flatMap(importsOf).filter((path) => folderOf(path) === 'scripts/stack'),
    )

    const names = [...used].map((path) => path.replace('scripts/stack/', '')).sort()
    assert.deepEqual(names, launcher.toSorted())
    const document = await readDocument('docs/architecture.md')
    for (const name of names) assert.ok(document.includes(`\`${name}\``), name)
  })

  it('hold no file at the root of shared', () => {
    assert.deepEqual(globSync('shared/*.ts', { cwd: checkout }), [])
  })
})

describe('a file', () => {
  const linesOf = (file: string) => textOf(file).split('\n').length - 1

  it(`has ${maxLines} lines at most, tests and styles too`, () => {
    const all = globSync(written, { cwd: checkout }).filter(
      (file) => !/(?:^|\/)(?:client|dist|node_modules)\//.test(file),
    )
    const long = all
      .filter((file) => excused[file] === undefined)
      .map((file) => [file, linesOf(file)] as const)
      .filter(([, lines]) => lines > maxLines)

    assert.ok(all.length > 500)
    assert.deepEqual(long, [])
  })

  it('is excused only if it is longer', () => {
    const short = Object.keys(excused).filter((file) => linesOf(file) <= maxLines)

    assert.deepEqual(short, [])
  })
})

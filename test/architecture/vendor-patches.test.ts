import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const checkout = join(import.meta.dirname, '../..')
const sources =
  '{activities,bench,lab,prisma,provider,scripts,services,shared,temporal,test,web,workflows}/**/*.{ts,tsx}'

/** Every file that patches a dependency or uses what it does not export. */
const fences = [
  {
    file: 'services/orchestrator/worker/sandbox.ts',
    dependency: '@temporalio/worker',
    version: '1.24.0',
    reasons: ['nodejs/node#47739', 'temporalio/sdk-typescript#1587'],
  },
  {
    file: 'shared/kafka/timer-patch.ts',
    dependency: 'kafkajs',
    version: '2.2.4',
    reasons: ['tulios/kafkajs#1751'],
  },
  {
    file: 'shared/kafka/record-batch-patch.ts',
    dependency: 'kafkajs',
    version: '2.2.4',
    reasons: ['tulios/kafkajs#1475'],
  },
  {
    file: 'test/helpers/history-json.ts',
    dependency: '@temporalio/common',
    version: '1.24.0',
    reasons: ['temporalio/sdk-typescript#255'],
  },
]

/** The name of a module that a package keeps to itself. */
const internals = /['"]((@[\w-]+\/[\w-]+|[\w-]+)\/(?:lib|src|dist)\/[^'"\n]*)['"]/g
/** Entries that their package documents. */
const documented = new Set(['ajv/dist/2020.js'])

describe('what reaches into a dependency', () => {
  for (const { file, dependency, version, reasons } of fences) {
    it(`${file} is for the installed ${dependency}, and says why it is there`, async () => {
      const manifest = createRequire(import.meta.url)(`${dependency}/package.json`)
      const text = await readFile(join(checkout, file), 'utf8')

      assert.equal(manifest.version, version, `does ${file} fit the new version?`)
      assert.ok(text.includes(`${dependency} ${version}`))
      for (const reason of reasons) assert.ok(text.includes(reason), reason)
    })
  }

  it('stands in a file of its own', async () => {
    const files = await Array.fromAsync(glob(sources, { cwd: checkout }))
    const known = new Set(fences.flatMap(({ file }) => [file, file.replace('.ts', '.test.ts')]))
    // Makes kafkajs lose its coordinator, which no broker does on request.
    known.add('shared/kafka/membership.test.ts')
    const { dependencies, devDependencies } = JSON.parse(
      await readFile(join(checkout, 'package.json'), 'utf8'),
    )
    const packages = new Set(Object.keys({ ...dependencies, ...devDependencies }))
    const found: string[] = []
    for (const file of files.filter((name) => !known.has(name) && !name.includes('/client/'))) {
      const text = await readFile(join(checkout, file), 'utf8')
      for (const [, name = '', dependency = ''] of text.matchAll(internals)) {
        if (packages.has(dependency) && !documented.has(name)) found.push(`${file}: ${name}`)
      }
    }

    assert.ok(files.length > 300)
    assert.deepEqual(found, [])
  })
})

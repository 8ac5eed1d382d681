import assert from 'node:assert/strict'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { temporalTestServer } from '../../scripts/stack/engines/temporal-test-server.ts'
import { type CheckoutCopy, copyCheckout } from '../helpers/checkout-copy.ts'
import { testStack } from '../helpers/stack.ts'
import { fences, readDocument } from './markdown.ts'

type Block = { file: string; language: string; content: string }

/** Each block with the file that the text in front of it names last. */
function blocksOf(text: string): Block[] {
  const blocks = text.matchAll(/^```(diff|sql)\n([\s\S]*?)^```$/gm)
  return [...blocks].map((block) => {
    const [, language = '', content = ''] = block
    const before = text.slice(0, block.index)
    const named = [...before.matchAll(/`([\w./<> -]+\.(?:ts|sql|prisma|md))`/g)]
    const file = (named.at(-1)?.[1] ?? '').replace('<UTC time>', '20990101000000')
    return { file, language, content }
  })
}

/** Applies the hunks of a diff, each by its lines alone. Throws when one does not fit exactly one place. */
function applyDiff(text: string, diff: string): string {
  return diff.split(/^@@$\n?/m).reduce((result, hunk) => {
    const lines = hunk.replace(/\n$/, '').split('\n')
    const side = (left: string) =>
      lines
        .filter((line) => !line.startsWith(left))
        .map((line) => `${line.slice(1)}\n`)
        .join('')
    const [before, ...more] = result.split(side('+'))
    if (before === undefined || more.length !== 1)
      throw new Error(`fits ${more.length} places:\n${hunk}`)
    return before + side('-') + more[0]
  }, text)
}

describe('docs/add-a-step.md, applied to a copy of the checkout', function () {
  this.timeout(600_000)

  let copy: CheckoutCopy
  let text: string
  let env: Record<string, string>

  before(async () => {
    const stack = await testStack()
    env = {
      TEST_STACK_DATA: stack.dataDir,
      TEST_POSTGRES_URL: databaseUrl(stack, 'order', 'postgres'),
      TEMPORAL_TEST_SERVER: await temporalTestServer(),
    }
    text = await readDocument('docs/add-a-step.md')
    copy = await copyCheckout()
    for (const { file, language, content } of blocksOf(text)) {
      if (language === 'diff') await copy.change(file, (source) => applyDiff(source, content))
      else await copy.write(file, content)
    }
  })

  after(() => copy?.close())

  it('compiles', async () => {
    assert.deepEqual(await copy.typeErrors(), [])
  })

  it('keeps the code style', async () => {
    const { code, stdout } = await copy.run([
      'node_modules/@biomejs/biome/bin/biome',
      'check',
      '--colors=off',
      '.',
    ])

    assert.equal(code, 0, stdout)
  })

  it('does and undoes the step on a real database and Kafka', async () => {
    const { passes, red } = await copy.runTests(
      ['test/component/commands.test.ts', 'services/order/service.test.ts'],
      { env, grep: 'reserveShipping|createOrder' },
    )

    assert.deepEqual(red, [])
    assert.ok(passes > 40, `${passes} tests`)
  })

  it('has the schema that its migrations lead to', async () => {
    const files = ['prisma/migrate.test.ts', 'prisma/constraints.test.ts']
    const { passes, red } = await copy.runTests(files, { env, grep: 'of order' })

    assert.deepEqual(red, [])
    assert.ok(passes >= 3, `${passes} tests`)
  })

  it('takes the step in the saga, undoes it in reverse order, and is documented', async () => {
    const { passes, red } = await copy.runTests(
      [
        'shared/contracts/steps.test.ts',
        'test/docs/saga.test.ts',
        'test/architecture/step-registry.test.ts',
        'workflows/purchase.test.ts',
      ],
      {
        env,
        grep: 'the step registry|docs/saga.md|every command of the registry|takes every step|undoes in reverse',
      },
    )

    assert.deepEqual(red, [])
    assert.ok(passes > 15, `${passes} tests`)
  })

  it('goes on with purchases from before, and replays those on the new paths', async () => {
    const [command = ''] = fences(text, 'sh')
    const [, paths = ''] = /<version> (.*)/.exec(command) ?? []
    const recorder = ['test/record-histories.ts', 'next', ...paths.trim().split(' ')]
    assert.equal((await copy.run(recorder, env)).code, 0)

    const { passes, red } = await copy.runTests(['workflows/replay.test.ts'], { env })

    assert.deepEqual(red, [])
    assert.ok(passes >= 6, `${passes} tests`)
  })
})

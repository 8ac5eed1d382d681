import assert from 'node:assert/strict'
import { commandNames, commandSteps } from '../../shared/contracts/steps.ts'
import { points } from '../drills/kills.ts'
import { type CheckoutCopy, copyCheckout } from '../helpers/checkout-copy.ts'

const scratch = `  scratchDo: {
    step: 'scratch-do',
    participant: 'order',
    sequence: 25,
    settles: true,
    undo: { command: 'scratchUndo', step: 'scratch-undo', sequence: 45 },
  },
`

/** Where a step must be known, and by which names: the compiler says so until it is. */
const places: [what: string, file: RegExp, name: string][] = [
  ['request and reply', /^shared\/contracts\/commands\.ts/, 'scratchDo'],
  ['what the workflow asks', /^workflows\/requests\.ts/, 'scratchDo'],
  ['activity', /^activities\/order\.ts/, 'scratchDo'],
  ['activity of the undo', /^activities\/order\.ts/, 'scratchUndo'],
  ['handler', /^services\/order\/commands\.ts/, 'scratchDo'],
  ['handler of the undo', /^services\/order\/commands\.ts/, 'scratchUndo'],
  ['settlement', /^services\/order\/(commands|events)\.ts.*(Settlements|settle)/, 'scratchDo'],
  ['reply of the participants of tests', /^test\/helpers\/replies\.ts/, 'scratchDo'],
  ['the same of the undo', /^test\/helpers\/replies\.ts/, 'scratchUndo'],
  ['test of the participant', /^test\/component\/pairs\.ts/, 'scratchDo'],
  ['path whose history is recorded', /^test\/helpers\/saga-paths\.ts/, 'scratchDo'],
]

/** Tests that go red until the saga takes the step, and drills and documents know it. */
const tests: [what: string, file: string, title: string][] = [
  ['order of the saga', 'workflows/purchase.test.ts', 'takes every step in order'],
  ['table of commands', 'test/docs/saga.test.ts', 'is the table of the code'],
  ['table of topics', 'test/docs/saga.test.ts', 'has every topic with its commands'],
  ['table of the README', 'test/docs/saga.test.ts', 'agrees with the README'],
  ['kill points', 'test/architecture/step-registry.test.ts', 'is killed at in a drill'],
]

describe('a step that is only in the registry', function () {
  this.timeout(480_000)

  let copy: CheckoutCopy

  before(async () => {
    copy = await copyCheckout()
    await copy.change('shared/contracts/steps.ts', (text) =>
      text.replace('} as const satisfies Record<string, StepSpec>', `${scratch}$&`),
    )
  })

  after(() => copy.close())

  it('does not compile at any place that must know it', async () => {
    const errors = await copy.typeErrors()

    const silent = places.filter(
      ([, file, name]) => !errors.some((line) => file.test(line) && line.includes(name)),
    )
    assert.deepEqual(
      silent.map(([what]) => what),
      [],
      errors.join('\n'),
    )
  })

  it('turns a test red wherever the compiler cannot see', async () => {
    const files = [...new Set(tests.map(([, file]) => file))]
    const titles = tests.map(([, , title]) => title)

    const { red } = await copy.runTests(files, { grep: titles.join('|') })

    const silent = tests.filter(([, , title]) => !red.some((name) => name.includes(title)))
    assert.deepEqual(
      silent.map(([what]) => what),
      [],
      red.join('\n'),
    )
  })
})

describe('every command of the registry', () => {
  it('is killed at in a drill', () => {
    for (const name of commandNames) {
      const { participant } = commandSteps[name]
      const killed = points[participant].flatMap((point) => ('names' in point ? point.names : []))
      assert.ok(killed?.includes(name), `${participant} is not killed at ${name}`)
    }
  })
})

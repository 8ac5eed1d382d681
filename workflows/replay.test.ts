import assert from 'node:assert/strict'
import { cp, glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  bundleWorkflowCode,
  DefaultLogger,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker'
import { DeterminismViolationError } from '@temporalio/workflow'
import { refundPaths } from '../test/helpers/refund-paths.ts'
import { sagaPaths } from '../test/helpers/saga-paths.ts'
import { bundleWorkflows, quietTemporal } from '../test/helpers/temporal.ts'

const root = join(import.meta.dirname, '..')
const folder = join(import.meta.dirname, 'histories')
const histories = await Array.fromAsync(glob('*.json', { cwd: folder }))

/** Nobody listens during a replay. */
const sinks = { workflowCompletion: { onCompleted: { fn: () => {} } } }

async function historyOf(file: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, file), 'utf8'))
}

/** What is wrong with which history. */
async function replayAll(workflowBundle: WorkflowBundleWithSourceMap): Promise<string[]> {
  const all = await Promise.all(
    histories.map(async (file) => ({ workflowId: file, history: await historyOf(file) })),
  )
  const wrong: string[] = []
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle, sinks },
    all,
  )) {
    if (error) wrong.push(`${workflowId}: ${error.message}`)
  }
  return wrong
}

/** The workflows as they would be after a change of one file. */
async function bundleChanged(change: (source: string) => string, name = 'purchase.ts') {
  await mkdir(join(root, '.stack'), { recursive: true })
  const copy = await mkdtemp(join(root, '.stack', 'changed-'))
  try {
    await cp(join(root, 'workflows'), join(copy, 'workflows'), { recursive: true })
    await cp(join(root, 'shared', 'contracts'), join(copy, 'shared', 'contracts'), {
      recursive: true,
    })
    const file = join(copy, 'workflows', name)
    const source = await readFile(file, 'utf8')
    const changed = change(source)
    assert.notEqual(changed, source, 'the change must find what it changes')
    await writeFile(file, changed)
    return await bundleWorkflowCode({
      workflowsPath: join(copy, 'workflows', 'index.ts'),
      logger: new DefaultLogger('ERROR'),
    })
  } finally {
    await rm(copy, { recursive: true })
  }
}

describe('the workflows, replayed', function () {
  this.timeout(600_000)

  before(quietTemporal)

  it('has a history of each path that can be recorded', () => {
    const paths = histories.map((file) => basename(file).split('.')[0])

    const known = [...Object.keys(sagaPaths), ...Object.keys(refundPaths)]
    assert.deepEqual([...new Set(paths)].sort(), known.sort())
  })

  it('goes on under this code as it began under the code that recorded it', async () => {
    const workflowBundle = await bundleWorkflows()

    assert.deepEqual(await replayAll(workflowBundle), [])
  })

  const changes = {
    'a step taken earlier': (source: string) =>
      source.replace(/( +await take\('reserveStock'\)\n)( +await take\('createOrder'\)\n)/, '$2$1'),
    'a step left out': (source: string) => source.replace(/ +await take\('createOrder'\)\n/, ''),
    'a second announcement': (source: string) =>
      source.replace('  return ended\n', '  await announceEnd(ended)\n  return ended\n'),
  }
  for (const [what, change] of Object.entries(changes)) {
    it(`catches ${what} that is not guarded with patched()`, async () => {
      const workflowBundle = await bundleChanged(change)

      await assert.rejects(
        async () =>
          Worker.runReplayHistory({ workflowBundle, sinks }, await historyOf('happy.0.1.0.json')),
        DeterminismViolationError,
      )
    })
  }

  it('catches a step of a refund that is taken earlier', async () => {
    const workflowBundle = await bundleChanged(
      (source) =>
        source.replace(
          '    await announceRefundEnd(ended)\n    if (money) await close(ended)\n',
          '    if (money) await close(ended)\n    await announceRefundEnd(ended)\n',
        ),
      'refund.ts',
    )
    const [recorded = ''] = histories.filter((file) => file.startsWith('refund-with-stock.'))

    await assert.rejects(
      async () => Worker.runReplayHistory({ workflowBundle, sinks }, await historyOf(recorded)),
      DeterminismViolationError,
    )
  })

  it('lets a change that is guarded with patched() go on with what began before it', async () => {
    const workflowBundle = await bundleChanged((source) =>
      source
        .replace('import {', "import { patched as guarded } from '@temporalio/workflow'\nimport {")
        .replace(
          '  return ended\n',
          "  if (guarded('announced-twice')) await announceEnd(ended)\n  return ended\n",
        ),
    )

    assert.deepEqual(await replayAll(workflowBundle), [])
  })

  it('bundles without anything that is not deterministic', async () => {
    const { code } = await bundleWorkflows()

    assert.doesNotMatch(code, /require\("node:/)
    assert.doesNotMatch(code, /zod/, 'contracts are types to a workflow')
  })
})

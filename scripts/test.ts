import { glob, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installBrowser } from './browser.ts'
import { check } from './check.ts'
import { databaseUrl } from './stack/client.ts'
import { temporalTestServer } from './stack/engines/temporal-test-server.ts'
import { runNode } from './stack/run-node.ts'
import { startStack } from './stack/start.ts'
import { withoutStack } from './unit-tests.ts'

/*
 * `npm test`: types, lint and every *.test.ts, on a stack of its own beside whatever runs here. Arguments are test
 * files, to run a few without the checks. `--unit` runs the tests that need no stack, in seconds.
 */

const root = join(import.meta.dirname, '..')
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
const testFiles =
  '{shared,services,provider,workflows,activities,prisma,scripts,bench,lab,test}/**/*.test.ts'

type Counts = { passed: number; failed: number }

/** Runs mocha and reads its counts. A run that dies counts as a failure. */
async function runMocha(files: string[], env: Record<string, string> = {}): Promise<Counts> {
  const dir = await mkdtemp(join(tmpdir(), 'saga-counts-'))
  const countsFile = join(dir, 'counts.json')
  try {
    const ok = await runNode([mocha, '--reporter', 'test/helpers/reporter.ts', ...files], {
      TEST_COUNTS: countsFile,
      ...env,
    })
    const counts = await readFile(countsFile, 'utf8').catch(() => '{"passed":0,"failed":0}')
    const { passed, failed } = JSON.parse(counts) as Counts
    return { passed, failed: ok || failed > 0 ? failed : 1 }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function runOnStack(files: string[], interrupted: AbortSignal): Promise<Counts> {
  if (files.some((file) => file.startsWith('test/browser/'))) await installBrowser()
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-test-'))
  const stack = await startStack({
    dataDir,
    portOffset: 'free',
    signal: interrupted,
    log: console.log,
  })
  try {
    return await runMocha(files, {
      TEST_STACK_DATA: dataDir,
      TEST_POSTGRES_URL: databaseUrl(stack, 'order', 'postgres'),
      TEMPORAL_TEST_SERVER: await temporalTestServer(),
    })
  } finally {
    await stack.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupt.abort(new Error(`ended by ${signal}`)))
}
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { unit: { type: 'boolean', default: false } },
})
const all = (await Array.fromAsync(glob(testFiles, { cwd: root }))).sort()
const checks = wanted.length > 0 || values.unit ? { passed: 0, failed: 0 } : await check()
const tests = values.unit
  ? await runMocha(await withoutStack(root, wanted.length > 0 ? wanted : all))
  : await runOnStack(wanted.length > 0 ? wanted : all, interrupt.signal)
const failed = checks.failed + tests.failed
console.log(`\n${checks.passed + tests.passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

import { glob, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { check, runNode } from './check.ts'
import { temporalTestServer } from './engines/temporal-test-server.ts'
import { databaseUrl } from './stack-client.ts'
import { startStack } from './start-stack.ts'

/*
 * `npm test`: types, lint and every *.test.ts, on a stack of its own beside whatever runs here. Arguments are test
 * files, for running a few without the checks.
 */

const root = join(import.meta.dirname, '..')
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')
const testFiles = '{shared,services,workflows,activities,prisma,scripts,bench,test}/**/*.test.ts'

type Counts = { passed: number; failed: number }

/** Runs mocha on a stack and reads its counts. A run that dies counts as a failure. */
async function runTests(files: string[], interrupted: AbortSignal): Promise<Counts> {
  const dataDir = await mkdtemp(join(tmpdir(), 'saga-test-'))
  const countsFile = join(dataDir, 'counts.json')
  const stack = await startStack({
    dataDir,
    portOffset: 'free',
    signal: interrupted,
    log: console.log,
  })
  try {
    const ok = await runNode([mocha, '--reporter', 'test/helpers/reporter.ts', ...files], {
      TEST_COUNTS: countsFile,
      TEST_STACK_DATA: dataDir,
      TEST_POSTGRES_URL: databaseUrl(stack, 'order', 'postgres'),
      TEMPORAL_TEST_SERVER: await temporalTestServer(),
    })
    const counts = await readFile(countsFile, 'utf8').catch(() => '{"passed":0,"failed":0}')
    const { passed, failed } = JSON.parse(counts) as Counts
    return { passed, failed: ok || failed > 0 ? failed : 1 }
  } finally {
    await stack.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

const interrupt = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupt.abort(new Error(`ended by ${signal}`)))
}
const wanted = process.argv.slice(2)
const checks = wanted.length > 0 ? { passed: 0, failed: 0 } : await check()
const all = await Array.fromAsync(glob(testFiles, { cwd: root }))
const tests = await runTests(wanted.length > 0 ? wanted : all.sort(), interrupt.signal)
const failed = checks.failed + tests.failed
console.log(`\n${checks.passed + tests.passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

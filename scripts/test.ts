import { spawn } from 'node:child_process'
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { temporalTestServer } from './engines/temporal-test-server.ts'
import { databaseUrl } from './stack-client.ts'
import { startStack } from './start-stack.ts'

/*
 * `npm test`: types, lint and every *.test.ts, on a stack of its own beside whatever runs here. Arguments are test
 * files, for running a few.
 */

const root = join(import.meta.dirname, '..')
const modules = join(root, 'node_modules')
const node = process.execPath

async function run(command: string[], env: Record<string, string> = {}): Promise<boolean> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  return new Promise((resolve) => child.once('exit', (code) => resolve(code === 0)))
}

const wanted = process.argv.slice(2)
const checks = [
  { name: 'types', command: [node, join(modules, 'typescript', 'bin', 'tsc'), '--project', '.'] },
  { name: 'lint', command: [node, join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check', '.'] },
]
let passed = 0
let failed = 0

for (const { name, command } of wanted.length > 0 ? [] : checks) {
  const ok = await run(command)
  console.log(`${ok ? '✔' : '✘'} ${name}`)
  if (ok) passed++
  else failed++
}

const dataDir = await mkdtemp(join(tmpdir(), 'saga-test-'))
const counts = join(dataDir, 'counts.json')
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupted.abort())
}
const stack = await startStack({
  dataDir,
  portOffset: 'free',
  signal: interrupted.signal,
  log: console.log,
})
try {
  const found = await Array.fromAsync(
    glob('{shared,services,workflows,activities,prisma,scripts,bench,test}/**/*.test.ts', { cwd: root }),
  )
  const files = wanted.length > 0 ? wanted : found.sort()
  const mocha = join(modules, 'mocha', 'bin', 'mocha.js')
  const ok = await run([node, mocha, '--reporter', 'test/helpers/reporter.ts', ...files], {
    TEST_COUNTS: counts,
    TEST_STACK_DATA: dataDir,
    TEST_POSTGRES_URL: databaseUrl(stack, 'order', 'postgres').replace(/order_db$/, 'postgres'),
    TEMPORAL_TEST_SERVER: await temporalTestServer(),
  })
  const stats = JSON.parse(await readFile(counts, 'utf8')) as { passes: number; failures: number }
  passed += stats.passes
  failed += stats.failures
  if (!ok && stats.failures === 0) failed++
} finally {
  await stack.stop()
  await rm(dataDir, { recursive: true, force: true })
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

import { execFile, spawn } from 'node:child_process'
import { cp, glob, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { formatTable } from '../../bench/table.ts'
import { temporalTestServer } from '../../scripts/engines/temporal-test-server.ts'
import { databaseUrl } from '../../scripts/stack-client.ts'
import { startStack } from '../../scripts/start-stack.ts'

/** A mechanism, how it is switched off, and the tests that must notice. */
type Guard = {
  mechanism: string
  file: string
  /** Text that stands in the file, and what takes its place everywhere. */
  from: string
  to: string
  tests: string[]
  /** Part of the title that must be among the red ones: others may be red because the machine is busy. */
  expects: string
}

const checkout = join(import.meta.dirname, '../..')
const inboxTests = ['shared/inbox.test.ts']
const workflowTests = ['workflows/purchase.test.ts']

export const guards: Guard[] = [
  {
    mechanism: 'dedupe',
    file: 'shared/inbox.ts',
    from: 'if (inserted === 1) return { claimed: true }',
    to: 'if (inserted >= 0) return { claimed: true }',
    tests: inboxTests,
    expects: 'does once, and answers each repeat with the first reply',
  },
  {
    mechanism: 'tombstone',
    file: 'shared/inbox.ts',
    from: `INSERT INTO inbox (command_id, undone) VALUES (\${doId}, true) ON CONFLICT DO NOTHING`,
    to: `INSERT INTO inbox (command_id, undone) SELECT \${doId}, true WHERE false`,
    tests: inboxTests,
    expects: 'refuses a do whose undo came first, and one that was undone',
  },
  {
    mechanism: 'nonCancellable undo',
    file: 'workflows/compensations.ts',
    // Both rounds: one that is cancelled leaves everything to the other.
    from: 'CancellationScope.nonCancellable(',
    to: 'CancellationScope.cancellable(',
    tests: workflowTests,
    expects: 'ends CANCELLED when it is cancelled between steps',
  },
  {
    mechanism: 'undo registered before its step',
    file: 'workflows/purchase.ts',
    from: `    undos.add('refundPayment')
    await go('takePayment', (to) => to.takePayment(id, payment))`,
    to: `    await go('takePayment', (to) => to.takePayment(id, payment))
    undos.add('refundPayment')`,
    tests: workflowTests,
    expects: 'itself included, when takePayment is rejected',
  },
  {
    mechanism: 'waiting for a step that is cancelled',
    file: 'workflows/steps.ts',
    from: 'ActivityCancellationType.WAIT_CANCELLATION_COMPLETED',
    to: 'ActivityCancellationType.TRY_CANCEL',
    tests: workflowTests,
    expects: 'lets a payment in flight decide',
  },
  {
    mechanism: 'CHECK that stock adds up',
    file: 'prisma/product/migrations/20260901000000_init/migration.sql',
    from: `("sold" >= 0),
    CONSTRAINT "products_received_check" CHECK ("received" = "stock" + "held" + "sold")`,
    to: '("sold" >= 0)',
    tests: ['prisma/constraints.test.ts'],
    expects: 'of product refuse the rows',
  },
  {
    mechanism: 'CHECK that stock is not negative',
    file: 'prisma/product/migrations/20260901000000_init/migration.sql',
    from: 'CHECK ("stock" >= 0)',
    to: 'CHECK ("stock" >= -1000000)',
    tests: ['prisma/constraints.test.ts'],
    expects: 'of product refuse the rows',
  },
  {
    mechanism: 'one purchase per Idempotency-Key',
    file: 'prisma/purchase/migrations/20260901000000_init/migration.sql',
    from: 'CREATE UNIQUE INDEX "purchases_customer_id_idempotency_key_key"',
    to: 'CREATE INDEX "purchases_customer_id_idempotency_key_key"',
    tests: ['services/purchase/purchase.test.ts'],
    expects: 'makes one purchase of twenty requests at once',
  },
  {
    mechanism: 'one workflow per purchase',
    file: 'services/orchestrator/sagas.ts',
    from: "workflowIdReusePolicy: 'REJECT_DUPLICATE'",
    to: "workflowIdReusePolicy: 'ALLOW_DUPLICATE'",
    tests: ['services/orchestrator/orchestrator.test.ts'],
    expects: 'starts one saga of an event that comes again',
  },
  {
    mechanism: 'asking for an end that does not come',
    file: 'services/purchase/service.ts',
    from: 'ids.filter((id) => !asked.has(id))',
    to: 'ids.filter(() => false)',
    tests: ['test/drills/killed-in-wait.test.ts'],
    expects: 'between the end that is stored and its announcement',
  },
  {
    mechanism: 'an undo that voids at the provider first',
    file: 'services/payment/service.ts',
    from: "if (outcome === 'voided') return 'VOIDED'",
    to: "if (outcome !== undefined) return 'VOIDED'",
    tests: ['services/payment/service.test.ts'],
    expects: 'refunds once, however often it is asked',
  },
  {
    mechanism: 'heartbeat of a member that has no room',
    file: 'shared/kafka.ts',
    from: `sleep(1_000)])
          await heartbeat()`,
    to: 'sleep(1_000)])',
    tests: ['test/faults/kafka.test.ts'],
    expects: 'lets go of what it had read',
  },
  {
    mechanism: 'looking after requests that were held back',
    file: 'shared/kafkajs-timer.ts',
    from: 'this.pending.length > 0 || ',
    to: '',
    tests: ['shared/kafkajs-timer.test.ts'],
    expects: 'a request that the broker has held back goes out',
  },
]

/** A copy of the checkout to change: packages and generated clients are shared with it. */
async function copyCheckout(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'saga-guards-'))
  const { stdout } = await promisify(execFile)(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '-z'],
    { cwd: checkout },
  )
  for (const file of stdout.split('\0').filter(Boolean)) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await cp(join(checkout, file), join(copy, file)).catch(() => undefined)
  }
  await symlink(join(checkout, 'node_modules'), join(copy, 'node_modules'))
  const clients = await Array.fromAsync(glob('prisma/*/client', { cwd: checkout }))
  for (const client of clients) await symlink(join(checkout, client), join(copy, client))
  return copy
}

type Outcome = { passes: number; red: string[] }

/** Runs test files of the copy; a run that does not come to its end is red as a whole. */
async function runTests(
  copy: string,
  files: string[],
  env: Record<string, string>,
): Promise<Outcome> {
  const report = join(copy, 'report.json')
  await rm(report, { force: true })
  const mocha = join(copy, 'node_modules/mocha/bin/mocha.js')
  const reporter = ['--reporter', 'json', '--reporter-option', `output=${report}`]
  const flags = ['--timeout', '120000', ...reporter]
  const child = spawn(
    process.execPath,
    ['--disable-warning=TimeoutNegativeWarning', mocha, ...flags, ...files],
    { cwd: copy, env: { ...process.env, ...env }, stdio: 'ignore' },
  )
  await new Promise((resolve) => child.once('exit', resolve))
  const text = await readFile(report, 'utf8').catch(() => undefined)
  if (text === undefined) return { passes: 0, red: ['(the run did not end)'] }
  const { stats, failures } = JSON.parse(text) as {
    stats: { passes: number }
    failures: { fullTitle: string }[]
  }
  return { passes: stats.passes, red: failures.map(({ fullTitle }) => fullTitle) }
}

async function switchOff(copy: string, { mechanism, file, from, to }: Guard): Promise<string> {
  const text = await readFile(join(copy, file), 'utf8')
  if (!text.includes(from)) throw new Error(`${mechanism}: ${file} has changed`)
  await writeFile(
    join(copy, file),
    text.replaceAll(from, () => to),
  )
  return text
}

/** Switches each mechanism off in a copy of the checkout; true when tests went red every time, and only then. */
export async function proveGuards(signal: AbortSignal): Promise<boolean> {
  const copy = await copyCheckout()
  const stack = await startStack({
    dataDir: join(copy, '.stack'),
    portOffset: 'free',
    services: false,
    signal,
  })
  const env = {
    TEST_STACK_DATA: stack.dataDir,
    TEST_POSTGRES_URL: databaseUrl(stack, 'order', 'postgres'),
    TEMPORAL_TEST_SERVER: await temporalTestServer(),
  }
  const rows: (string | number)[][] = []
  /** What has been run on the unchanged copy. */
  const green = new Set<string>()
  let proven = true
  try {
    for (const guard of guards) {
      for (const file of guard.tests.filter((test) => !green.has(test))) {
        const { passes, red } = await runTests(copy, [file], env)
        console.log(`\n${file} as it is: ${red.length} red, ${passes} pass`)
        proven &&= red.length === 0
        green.add(file)
      }
      const text = await switchOff(copy, guard)
      const { passes, red } = await runTests(copy, guard.tests, env)
      await writeFile(join(copy, guard.file), text)
      console.log(`\n${guard.mechanism} off: ${red.length} red, ${passes} pass`)
      for (const title of red) console.log(`  ${title}`)
      const noticed = red.some((title) => title.includes(guard.expects))
      rows.push([noticed ? 'noticed' : 'NOT NOTICED', guard.mechanism, red.length])
      proven &&= noticed
    }
  } finally {
    await stack.stop()
    await rm(copy, { recursive: true, force: true })
  }
  console.log(`\n${formatTable(rows)}`)
  return proven
}

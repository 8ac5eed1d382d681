import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { databaseUrl } from '../../scripts/stack/client.ts'
import { temporalTestServer } from '../../scripts/stack/engines/temporal-test-server.ts'
import { startStack } from '../../scripts/stack/start.ts'
import { formatTable } from '../../scripts/stack/table.ts'
import { type CheckoutCopy, copyCheckout } from '../helpers/checkout-copy.ts'

/** A mechanism, how it is disabled, and the tests that must then fail. */
type Guard = {
  mechanism: string
  file: string
  /** Text of the file, and its replacement everywhere. */
  from: string
  to: string
  tests: string[]
  /** Part of a title that must be among the failed ones: others may fail because the machine is busy. */
  expects: string
}

const inboxTests = ['shared/messaging/inbox.test.ts']

export const guards: Guard[] = [
  {
    mechanism: 'dedupe',
    file: 'shared/messaging/inbox.ts',
    from: 'ON CONFLICT DO NOTHING RETURNING command_id',
    to: 'ON CONFLICT (command_id) DO UPDATE SET reply = excluded.reply RETURNING command_id',
    tests: inboxTests,
    expects: 'does once, and answers each repeat with the first reply',
  },
  {
    mechanism: 'tombstone',
    file: 'shared/messaging/inbox.ts',
    from: `INSERT INTO inbox (command_id, undone) VALUES (\${doId}, true) ON CONFLICT DO NOTHING`,
    to: `INSERT INTO inbox (command_id, undone) SELECT \${doId}, true WHERE false`,
    tests: inboxTests,
    expects: 'refuses a do whose undo came first, and one that was undone',
  },
  {
    mechanism: 'nonCancellable undo',
    file: 'workflows/compensations.ts',
    // Both rounds: a cancelled one leaves everything to the other.
    from: 'CancellationScope.nonCancellable(',
    to: 'CancellationScope.cancellable(',
    tests: ['workflows/cancel.test.ts', 'workflows/fast-path.test.ts'],
    expects: 'ends CANCELLED when it is cancelled between steps',
  },
  {
    mechanism: 'undo registered before its step',
    file: 'workflows/purchase.ts',
    from: `    undos.add(undoOf[step])
    const run = () => runStep(step, settings, log, id, requestOf[step](accepted))
    const timed = () => timeline.time(commandSteps[step].step, run, reasonOf)
    const { cancel_pending } = await requests.begin(step, timed)`,
    to: `    const run = () => runStep(step, settings, log, id, requestOf[step](accepted))
    const timed = () => timeline.time(commandSteps[step].step, run, reasonOf)
    const { cancel_pending } = await requests.begin(step, timed)
    undos.add(undoOf[step])`,
    tests: ['workflows/purchase.test.ts', 'workflows/compensations.test.ts'],
    expects: 'itself included, when takePayment is rejected',
  },
  {
    mechanism: 'waiting for a step that is cancelled',
    file: 'workflows/run-step.ts',
    from: 'ActivityCancellationType.WAIT_CANCELLATION_COMPLETED',
    to: 'ActivityCancellationType.TRY_CANCEL',
    tests: ['workflows/cancel.test.ts'],
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
    tests: ['services/purchase/idempotency-key.test.ts'],
    expects: 'makes one purchase of twenty requests at once',
  },
  {
    mechanism: 'one workflow per purchase',
    file: 'services/orchestrator/saga/start-options.ts',
    from: "workflowIdReusePolicy: 'REJECT_DUPLICATE'",
    to: "workflowIdReusePolicy: 'ALLOW_DUPLICATE'",
    tests: ['services/orchestrator/events.test.ts'],
    expects: 'starts one saga of an event that comes again',
  },
  {
    mechanism: 'asking for an end that does not come',
    file: 'services/purchase/stalled.ts',
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
    tests: [
      'services/payment/service.test.ts',
      'services/payment/provider-guard.test.ts',
      'services/payment/crashes.test.ts',
    ],
    expects: 'refunds once, however often it is asked',
  },
  {
    mechanism: 'heartbeat of a member that has no room',
    file: 'shared/kafka/consumer.ts',
    from: `sleep(1_000)])
          await heartbeat()`,
    to: 'sleep(1_000)])',
    tests: ['test/faults/kafka.test.ts'],
    expects: 'drops what it had read',
  },
  {
    mechanism: 'looking after requests that were held back',
    file: 'shared/kafka/timer-patch.ts',
    from: 'this.pending.length > 0 || ',
    to: '',
    tests: ['shared/kafka/timer-patch.test.ts'],
    expects: 'a request that the broker has held back goes out',
  },
  {
    mechanism: 'CHECK that refunds claim no more than was paid',
    file: 'prisma/payment/migrations/20261130120000_refunds/migration.sql',
    from: ' AND "refunds_claimed" <= "amount"',
    to: '',
    tests: ['services/payment/refunds.test.ts'],
    expects: 'are bounded by the database as well',
  },
  {
    mechanism: 'stock that a refund puts back once',
    file: 'services/product/stock-repository.ts',
    from: "AND status = 'SOLD'",
    to: "AND status IN ('SOLD', 'RETURNED')",
    tests: ['services/product/release-stock.test.ts'],
    expects: 'frees what was sold, once, and of the named products only',
  },
  {
    mechanism: 'signature of an event of the payment provider',
    file: 'services/payment/webhooks.ts',
    from: 'stripe.webhooks.constructEvent(body, signature, secret, toleranceSeconds)',
    to: 'JSON.parse(String(body))',
    tests: ['services/payment/webhooks.test.ts'],
    expects: 'are refused when they are forged, changed, old or not signed',
  },
  {
    mechanism: 'a capture that is reported after its undo',
    file: 'services/payment/event-repository.ts',
    from: ' AND NOT undone AND NOT answered',
    to: '',
    tests: ['services/payment/webhooks.test.ts'],
    expects: 'settle nothing once an undo has begun',
  },
  {
    mechanism: 'fewer places of the orchestrator while others buy',
    file: 'services/orchestrator/worker/admission.ts',
    from: 'boughtAt.size > 1 ? sharedShare : aloneShare',
    to: 'aloneShare',
    tests: ['services/orchestrator/worker/admission.test.ts'],
    expects: 'a sixth as soon as another one buys',
  },
  {
    mechanism: 'refusal of more than is in stock',
    file: 'services/purchase/checkout.ts',
    from: '!product.withdrawn && product.stock >= quantity',
    to: '!product.withdrawn',
    tests: ['services/purchase/checkout.test.ts'],
    expects: 'refuses a product that is sold out',
  },
]

async function switchOff(copy: CheckoutCopy, { mechanism, file, from, to }: Guard) {
  const text = await readFile(join(copy.folder, file), 'utf8')
  if (!text.includes(from)) throw new Error(`${mechanism}: ${file} has changed`)
  return copy.change(file, () => text.replaceAll(from, () => to))
}

/** Disables each mechanism in a copy of the checkout; true if the named tests failed each time, and only then. */
export async function proveGuards(signal: AbortSignal): Promise<boolean> {
  const copy = await copyCheckout()
  const stack = await startStack({
    dataDir: join(copy.folder, '.stack'),
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
  /** Tests that were run on the unchanged copy. */
  const green = new Set<string>()
  let proven = true
  try {
    for (const guard of guards) {
      for (const file of guard.tests.filter((test) => !green.has(test))) {
        const { passes, red } = await copy.runTests([file], { env })
        console.log(`\n${file} as it is: ${red.length} red, ${passes} pass`)
        proven &&= red.length === 0
        green.add(file)
      }
      const text = await switchOff(copy, guard)
      const { passes, red } = await copy.runTests(guard.tests, { env })
      await copy.write(guard.file, text)
      console.log(`\n${guard.mechanism} off: ${red.length} red, ${passes} pass`)
      for (const title of red) console.log(`  ${title}`)
      const noticed = red.some((title) => title.includes(guard.expects))
      rows.push([noticed ? 'noticed' : 'NOT NOTICED', guard.mechanism, red.length])
      proven &&= noticed
    }
  } finally {
    await stack.stop()
    await copy.close()
  }
  console.log(`\n${formatTable(rows)}`)
  return proven
}

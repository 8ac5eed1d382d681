import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Client } from '@temporalio/client'
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker'
import { findAddresses } from '../scripts/stack/addresses.ts'
import { visibleStart } from '../services/orchestrator/saga/visibility.ts'
import { workerOptions } from '../services/orchestrator/worker/worker.ts'
import type { PurchaseAccepted } from '../shared/contracts/events.ts'
import { newId } from '../shared/contracts/ids.ts'
import { type DoName, doNames } from '../shared/contracts/steps.ts'
import { connectNatively } from '../shared/runtime/temporal.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { namespace } from '../temporal/setup.ts'
import type * as workflows from './ceiling-workflows.ts'
import type { CeilingActivities } from './ceiling-workflows.ts'
import { inParallel } from './in-parallel.ts'

/*
 * Measures what Temporal alone can do on this machine: the same server and worker options, the same four steps with the
 * same payloads, search attributes and eager start, but without participants. The difference to our rate is the cost of
 * everything around Temporal.
 */

/** Sagas per second. */
export type CeilingFigures = { sagas: number; inFlight: number; plain: number; local: number }

type Steps = (typeof workflows)[keyof typeof workflows]

const taskQueue = 'benchmark-ceiling'
const stillRunning = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`
/** The first sagas are slower, because the worker compiles its code. */
const warmUp = 20

function examplePurchase(): PurchaseAccepted {
  const line = (number: number) => ({
    product_id: newId(),
    quantity: number,
    name: `Product ${number}`,
    unit_price: 1_000 + number,
  })
  return {
    purchase_id: newId(),
    customer_id: newId(),
    lines: [line(1), line(2)],
    amount: 3_005,
    currency_code: 'VND',
    payment_method: 'sim_ok',
  }
}

/** Measures both kinds, one after the other, on the Temporal server of a shop that is idle. */
export async function measureCeiling(
  address: string,
  { sagas, inFlight }: { sagas: number; inFlight: number },
  onProgress: (done: number) => void = () => {},
): Promise<CeilingFigures> {
  await using open = new AsyncDisposableStack()
  const connection = open.adopt(await connectNatively(address), (c) => c.close())
  const { workflow } = new Client({ connection, namespace })
  const waiting = new Map<string, () => void>()
  const done = async () => ({ outcome: 'done' }) as const
  const activities: CeilingActivities = {
    ...(Object.fromEntries(doNames.map((name) => [name, done])) as Record<DoName, typeof done>),
    // The end is read here, as in the orchestrator: waiting at the server would cost the server.
    async announceEnd({ purchase_id }) {
      waiting.get(purchase_id)?.()
    },
  }
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowsPath: fileURLToPath(import.meta.resolve('./ceiling-workflows.ts')),
    activities,
    ...workerOptions,
  })

  async function runOne(name: keyof typeof workflows): Promise<void> {
    const accepted = examplePurchase()
    const ended = Promise.withResolvers<void>()
    waiting.set(accepted.purchase_id, ended.resolve)
    await workflow.start<Steps>(name, {
      taskQueue,
      workflowId: `ceiling-${accepted.purchase_id}`,
      args: [accepted],
      requestEagerStart: true,
      ...visibleStart(accepted, namespace),
    })
    await ended.promise
    waiting.delete(accepted.purchase_id)
  }

  async function measure(name: keyof typeof workflows, before: number): Promise<number> {
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)
    await inParallel(numbers(warmUp), inFlight, () => runOne(name))
    const startedAt = performance.now()
    let ended = before
    await inParallel(numbers(sagas), inFlight, async () => {
      await runOne(name)
      ended++
      onProgress(ended)
    })
    return (sagas / (performance.now() - startedAt)) * 1_000
  }

  // Awaited here, because the connection is closed next.
  return await worker.runUntil(async () => {
    const plain = await measure('plainSteps', 0)
    const local = await measure('localSteps', sagas)
    // They announce before they return.
    await waitFor('the bare sagas to return', async () => {
      return (await workflow.count(stillRunning)).count === 0
    })
    return { sagas, inFlight, plain, local }
  })
}

/** Silences the SDK's log about a healthy worker. Call it once, before anything connects. */
export function silenceTemporal(): void {
  Runtime.install({
    logger: new DefaultLogger('WARN'),
    // The core warns of slow tasks, which are expected on a saturated machine.
    telemetryOptions: { logging: { filter: 'ERROR' } },
  })
}

async function main(): Promise<void> {
  silenceTemporal()
  const { values } = parseArgs({
    options: {
      sagas: { type: 'string', default: '500' },
      'in-flight': { type: 'string', default: '128' },
    },
  })
  const { temporal } = await findAddresses()
  const sizes = { sagas: Number(values.sagas), inFlight: Number(values['in-flight']) }
  const { plain, local } = await measureCeiling(temporal, sizes)
  console.log(`plain activities ${plain.toFixed(1)} /s, local activities ${local.toFixed(1)} /s`)
}

if (import.meta.main) await main()

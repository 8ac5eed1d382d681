import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Client } from '@temporalio/client'
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker'
import { waitFor } from '../scripts/wait-for.ts'
import { workerOptions } from '../services/orchestrator/worker.ts'
import type { CreateOrder, ReserveStock, TakePayment } from '../shared/contracts/commands.ts'
import type { PurchaseAccepted, PurchaseEnded } from '../shared/contracts/events.ts'
import { customerId, purchaseStatus } from '../shared/contracts/search-attributes.ts'
import { newId } from '../shared/ids.ts'
import { connectNatively } from '../shared/temporal.ts'
import { namespace } from '../temporal/setup.ts'
import { findAddresses } from './addresses.ts'
import type * as workflows from './ceiling-workflows.ts'
import { inParallel } from './in-parallel.ts'

/*
 * What Temporal alone can do on this machine: the same server and worker options, the same four steps with the same
 * payloads, search attributes and eager start, but nobody is asked. Our rate against this one is what everything
 * around Temporal costs.
 */

/** Sagas per second. */
export type CeilingFigures = { sagas: number; inFlight: number; plain: number; local: number }

export type CeilingActivities = {
  reserveStock(id: string, body: ReserveStock): Promise<{ outcome: 'done' }>
  createOrder(id: string, body: CreateOrder): Promise<{ outcome: 'done' }>
  takePayment(id: string, body: TakePayment): Promise<{ outcome: 'done' }>
  announceEnd(ended: PurchaseEnded): Promise<void>
}

type Steps = (typeof workflows)[keyof typeof workflows]

const taskQueue = 'benchmark-ceiling'
const stillRunning = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`
/** The first ones are slower: the worker compiles what it runs. */
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
    reserveStock: done,
    createOrder: done,
    takePayment: done,
    // Heard here, as the orchestrator hears it: to wait at the server would cost the server.
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
      typedSearchAttributes: [
        { key: purchaseStatus, value: 'PROCESSING' },
        { key: customerId, value: accepted.customer_id },
      ],
      staticSummary: `${accepted.lines.length} lines, ${accepted.amount} VND`,
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

  // Awaited here, since the connection is closed right behind.
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

/** Keeps what the SDK has to say about a worker that is well to itself. Once, before anything connects. */
export function hushTemporal(): void {
  Runtime.install({
    logger: new DefaultLogger('WARN'),
    // The core warns of slow tasks, on a machine that is busy on purpose.
    telemetryOptions: { logging: { filter: 'ERROR' } },
  })
}

async function main(): Promise<void> {
  hushTemporal()
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

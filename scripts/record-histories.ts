import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { purchaseWorkflowId } from '../shared/ids.ts'
import { namespace } from '../temporal/setup.ts'
import { expectStatus, registerCustomer } from './shop-client.ts'
import { connectStack } from './stack-client.ts'

/*
 * Records what real purchases left in Temporal, for workflows/replay.test.ts. Needs the stack (npm run up).
 * Histories that are committed stay: old purchases must be able to go on under new code.
 */

const folder = join(import.meta.dirname, '..', 'workflows', 'histories')
const methods = { happy: 'sim_ok', declined: 'sim_declined' }

const stack = await connectStack(process.env.STACK_DATA ?? '.stack')
const customer = await registerCustomer(stack.urls.api)
const category = await customer.createCategory('Recorded')
const product = await customer.createProduct({
  category_id: category.id,
  name: 'Iphone 13',
  description: 'Iphone 13',
  brand_name: 'Apple',
  price: 125,
  inventory: 10,
})
const connection = await Connection.connect({ address: stack.urls.temporal })
const client = new Client({ connection, namespace })

async function record(path: string, quantity: number, method: string): Promise<void> {
  const order_items = [{ product_id: product.id, quantity }]
  const { purchase_id } = expectStatus(await customer.buy({ order_items, method }), 202)
  const { status } = await customer.waitForEnd(purchase_id)
  const handle = client.workflow.getHandle(purchaseWorkflowId(purchase_id))
  await handle.result()
  const history = historyToJSON(await handle.fetchHistory())
    // Which machine recorded it is nobody's business.
    .replace(/"\d+@[^"]*"/g, '"worker"')
  const release = process.argv[2] ?? 'unreleased'
  const file = join(folder, `${path}.${release}.json`)
  await writeFile(file, `${history}\n`)
  console.log(`${status}: ${file}`)
}

for (const [path, method] of Object.entries(methods)) await record(path, 2, method)
await record('out-of-stock', 1_000, 'sim_ok')
await connection.close()

import { purchaseWorkflowId } from '../shared/contracts/ids.ts'
import { formatAmount } from '../shared/contracts/money.ts'
import type { Order } from '../shared/contracts/order.ts'
import type { Payment } from '../shared/contracts/payment.ts'
import type { Product } from '../shared/contracts/product.ts'
import type { Purchase } from '../shared/contracts/purchase.ts'
import { commandNames, commandSteps, doNames } from '../shared/contracts/steps.ts'
import { waitFor } from '../shared/runtime/wait-for.ts'
import { namespace } from '../temporal/setup.ts'
import type { StackInfo } from './stack/client.ts'
import { type Customer, expectStatus, registerCustomer } from './stack/shop-client.ts'
import { draw, phoneDrawing } from './web/wares.ts'

type Print = (line: string) => void
type What = {
  customer: Customer
  iphone13: Product
  iphone14: Product
  ui: string
  print: Print
}

const inventory = 1000

/**
 * Shows one purchase that completes and one that is undone. Returns false if a step differs, and prints the
 * expectation.
 */
export async function runDemo(
  stack: Pick<StackInfo, 'urls'>,
  print: Print = console.log,
): Promise<boolean> {
  const { api, operators, temporalUi, dashboard, minioConsole, mail } = stack.urls
  try {
    const customer = await registerCustomer(api)
    print(`\nRegistered ${customer.email}`)
    const category = await customer.createCategory('Phone')
    const phone = { category_id: category.id, brand_name: 'Apple', inventory }
    const iphone13 = await customer.createProduct({
      ...phone,
      name: 'Iphone 13',
      description: 'Iphone 13',
      price: 125,
    })
    const iphone14 = await customer.createProduct({
      ...phone,
      name: 'Iphone 14 Pro',
      description: 'Iphone 14 Pro',
      price: 150,
    })
    for (const { id, name } of [iphone13, iphone14]) {
      await customer.addPicture(id, `A drawing of the ${name}`, await draw(phoneDrawing))
    }
    print(`Created category ${category.name} and products ${iphone13.name}, ${iphone14.name}`)
    const what = { customer, iphone13, iphone14, ui: temporalUi, print }
    await buyAndComplete(what)
    await buyAndUndo(what)
    print(`
Look around
  shop                    ${api}
  saga console            ${operators}/console
  failure lab             ${operators}/lab
  purchases in Temporal   ${temporalUi}/namespaces/${namespace}/workflows
  Traefik dashboard       ${dashboard}
  MinIO console           ${minioConsole}
  mail                    ${mail}`)
    return true
  } catch (error) {
    console.error('\nThe demo is not as expected:', error)
    return false
  }
}

async function buyAndComplete({ customer, iphone13, iphone14, ui, print }: What): Promise<void> {
  const purchase = await buy(customer, [iphone13, iphone14])
  printTimeline('A purchase', purchase, ui, print)
  expectEqual('status', purchase.status, 'COMPLETED')
  const id = purchase.purchase_id
  await waitFor('the order to be CONFIRMED', async () => {
    const order = expectStatus(await customer.get<Order>(`/orders/${id}`), 200)
    return order.status === 'CONFIRMED'
  })
  const payment = expectStatus(await customer.get<Payment>(`/payments/${id}`), 200)
  expectEqual('payment', payment.status, 'CAPTURED')
  await expectInventory(customer, iphone13, inventory - 4)
  await expectInventory(customer, iphone14, inventory - 5)
}

async function buyAndUndo({ customer, iphone13, iphone14, ui, print }: What): Promise<void> {
  const purchase = await buy(customer, [iphone13, iphone14], 'sim_declined')
  printTimeline('A purchase whose payment is declined: everything is undone', purchase, ui, print)
  expectEqual('status', purchase.status, 'REJECTED')
  expectEqual('failed step', purchase.failed_step, commandSteps.takePayment.step)
  const id = purchase.purchase_id
  const order = expectStatus(await customer.get<Order>(`/orders/${id}`), 200)
  expectEqual('order', order.status, 'CANCELLED')
  const payment = expectStatus(await customer.get<Payment>(`/payments/${id}`), 200)
  expectEqual('payment', payment.status, 'DECLINED')
  await expectInventory(customer, iphone13, inventory - 4)
  await expectInventory(customer, iphone14, inventory - 5)
}

async function buy(customer: Customer, products: [Product, Product], method?: string) {
  const [first, second] = products
  const order_items = [
    { product_id: first.id, quantity: 4 },
    { product_id: second.id, quantity: 5 },
  ]
  const { purchase_id } = expectStatus(
    await customer.buy({ order_items, ...(method && { method }) }),
    202,
  )
  const ended = await customer.waitForEnd(purchase_id)
  // The end and the last reply travel on two topics, so the last step may show a moment later.
  const last = (ended.status === 'COMPLETED' ? doNames : commandNames).at(-1)
  return waitFor('every step to show', async () => {
    const purchase = await customer.getPurchase(purchase_id)
    return purchase.steps.some(({ name }) => name === (last && commandSteps[last].step))
      ? purchase
      : undefined
  })
}

function printTimeline(title: string, purchase: Purchase, ui: string, print: Print): void {
  const started = Date.parse(purchase.created_at)
  const at = (time: string) => `${String(Date.parse(time) - started).padStart(6)} ms`
  print(`\n${title}: ${formatAmount(purchase.amount, purchase.currency_code)}`)
  print(`  ${at(purchase.created_at)}  ACCEPTED`)
  for (const step of purchase.steps) {
    print(`  ${at(step.at)}  ${step.name} ${step.reason ?? step.outcome}`)
  }
  const reason = purchase.reason ? ` (${purchase.failed_step}: ${purchase.reason})` : ''
  print(`  ${at(purchase.updated_at)}  ${purchase.status}${reason}`)
  const workflow = purchaseWorkflowId(purchase.purchase_id)
  print(`  ${ui}/namespaces/${namespace}/workflows/${workflow}`)
}

function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`)
}

async function expectInventory(customer: Customer, { id, name }: Product, expected: number) {
  await waitFor(`${name} to have ${expected} left`, async () => {
    const product = expectStatus(await customer.get<Product>(`/products/${id}`), 200)
    return product.inventory === expected
  })
}

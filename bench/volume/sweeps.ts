import { Registry } from 'prom-client'
import type { Database } from '../../prisma/databases.ts'
import {
  type AccountRepository,
  connectRepository as connectAccount,
} from '../../services/account/repository.ts'
import { connectRepository as connectMedia } from '../../services/media/repository.ts'
import { connectRepository as connectOrder } from '../../services/order/repository.ts'
import { connectEventRepository } from '../../services/payment/event-repository.ts'
import { connectRepository as connectPayment } from '../../services/payment/repository.ts'
import { connectRepository as connectProduct } from '../../services/product/repository.ts'
import { connectRepository as connectPurchase } from '../../services/purchase/repository.ts'
import { nilId, oldestIdAt } from '../../shared/contracts/ids.ts'
import { createOutboxBacklog, startRelay } from '../../shared/messaging/outbox.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import type { Owners } from './fill.ts'
import { idAt, type Shape } from './shape.ts'

const daySeconds = 24 * 60 * 60
const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** A connection plans a statement for its values five times; then it may keep one plan for all. */
const runs = 7

/**
 * Runs the statements of sweeps, queues, retention and rebuilds as the services have them, by their own repositories:
 * some of their periods are longer than anybody would wait here.
 */
export async function runSweeps(
  urls: Record<Database, string>,
  shape: Shape,
  { customerId, sellerId }: Owners,
): Promise<void> {
  await using open = new AsyncDisposableStack()
  const config = (database: Database) => ({ DATABASE_URL: urls[database], DATABASE_POOL_SIZE: 1 })
  const account = open.adopt(await connectAccount(config('account')), (it) => it.close())
  const product = open.adopt(await connectProduct(config('product')), (it) => it.close())
  const order = open.adopt(await connectOrder(config('order')), (it) => it.close())
  const payment = open.adopt(await connectPayment(config('payment')), (it) => it.close())
  const events = open.adopt(await connectEventRepository(config('payment')), (it) => it.close())
  const purchase = open.adopt(await connectPurchase(config('purchase')), (it) => it.close())
  const media = open.adopt(await connectMedia(config('media')), (it) => it.close())

  const limits = { perCustomer: 32, inAll: 192, countedForMs: 5 * minuteMs }
  // Somewhere in the middle of what there is.
  const at = new Date(shape.purchasesFrom + (Date.now() - shape.purchasesFrom) / 2)
  const middle = idAt(at.getTime())
  // With nine purchases; the other customer has a tenth of all.
  const someCustomer = `${oldestIdAt(Math.round(shape.productsFrom))}-700c-8000-000000000005`
  const inInbox = oldestIdAt((shape.inboxFrom + Date.now()) / 2)

  const countUnsent = createOutboxBacklog({
    inTransaction: account.inTransaction,
    registry: new Registry(),
  })

  const sweeps: (() => PromiseLike<unknown>)[] = [
    () => account.removeSessions(30 * daySeconds, 100),
    () => account.removeCodes(30 * daySeconds, 200),
    () => account.purgeMails(60 * daySeconds, 200),
    () => account.listLeaving(60, 20),
    () => account.listLeaving(60, 20, { id: middle, requestedAt: new Date(Date.now() - hourMs) }),
    countUnsent,
    () => relayOutbox(account),
    () => product.listOverdue(minuteMs, 100),
    () => product.listOverdue(minuteMs, 100, { id: middle }),
    () => product.purgeInbox(''),
    () => product.purgeInbox(inInbox),
    () => product.purgeCreations(30, 200),
    () => product.withdrawOf(sellerId, 200),
    () => product.listProductIds(undefined, 1_000),
    () => product.listProductIds(middle, 1_000),
    () => product.listCategoryIds(undefined, 1_000),
    () => product.listCategoryIds(middle, 1_000),
    () => product.lateIds.list('products', 1_000),
    () => order.listOverdue(minuteMs, 100),
    () => order.listOverdue(minuteMs, 100, { id: middle, createdAt: at }),
    () => order.purgeInbox(''),
    () => order.purgeInbox(inInbox),
    () => payment.takeOverdue(60_000),
    () => payment.purgeInbox(''),
    () => payment.purgeInbox(inInbox),
    () => payment.countPending(),
    () => payment.takeOpenRefunds(3_000, minuteMs),
    () => events.purgeEvents(30 * daySeconds),
    () => purchase.unpublished(minuteMs, 200),
    () => purchase.undeliveredCancels(minuteMs, 200),
    () => purchase.unmoved(5 * minuteMs, 200),
    () => purchase.unmoved(5 * minuteMs, 200, { id: middle, updatedAt: at }),
    () => purchase.paidUnended(minuteMs, 200),
    () => purchase.release(200, limits, nilId),
    () => purchase.countUnfinished(50_000),
    () => purchase.oldestStarted(),
    () => purchase.listAttention(20),
    () => purchase.listActions(middle),
    () => purchase.countUnfinishedOf(customerId),
    () => purchase.countUnfinishedOf(sellerId),
    () => purchase.forgetCustomer(someCustomer, 1_000),
    () => purchase.forgetCustomer(customerId, 1_000),
    () => purchase.purgeDeliveries(nilId, middle, 1_000),
    () => purchase.purgeDeliveries(middle, idAt(Date.now()), 1_000),
    () => media.leftOver(at, 100),
    () => media.firstOf([middle], 1),
    () => media.list({ product_id: middle, limit: 20 }),
  ]
  for (const sweep of sweeps) for (let run = 0; run < runs; run++) await sweep()
}

/** Relays the whole outbox, as after an outage of Kafka. It publishes nothing: only the statements are measured. */
async function relayOutbox(account: AccountRepository): Promise<void> {
  const { inTransaction } = account
  const logger = createLogger('sweeps', 'error')
  const relay = startRelay({ inTransaction, publish: async () => {}, logger })
  relay.nudge()
  await relay.close()
}

import { Counter } from 'prom-client'
import { createBatchedWrite } from '../../shared/batched-write.ts'
import type { Reply, StockLine } from '../../shared/contracts/commands.ts'
import type { EventBody } from '../../shared/contracts/events.ts'
import { type ListQuery, page } from '../../shared/contracts/list.ts'
import type {
  Category,
  CreateCategory,
  CreateProduct,
  Product,
  ProductListQuery,
  UpdateProduct,
} from '../../shared/contracts/product.ts'
import { AppError, unprocessable } from '../../shared/errors.ts'
import { handleDo, handleUndo, isExpired } from '../../shared/inbox.ts'
import type { Logger } from '../../shared/logger.ts'
import { type Publish, sendEvent } from '../../shared/messages.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { Command } from '../../shared/participant.ts'
import type { CategoryView, Line, ProductView, Repository, StoredProduct } from './repository.ts'

export type ProductService = ReturnType<typeof createProductService>

type Deps = {
  repository: Repository
  publish: Publish
  logger: Logger
  metrics: Pick<Metrics, 'registry'>
  /** Minor units of which every price is a number. */
  currencyCode: string
  /** How long stock may be held before the end of its purchase is asked for. */
  overdueMs: number
}

const maxStock = 2_147_483_647
const overdueBatch = 100
const nilId = '00000000-0000-0000-0000-000000000000'

export function createProductService(deps: Deps) {
  return { ...createCatalog(deps), ...createStock(deps) }
}

/** What sellers write and everybody reads. */
function createCatalog({ repository, currencyCode }: Deps) {
  function toProduct(stored: ProductView): Product {
    return {
      id: stored.id,
      category_id: stored.categoryId,
      id_account: stored.accountId,
      name: stored.name,
      description: stored.description,
      brand_name: stored.brandName,
      price: Number(stored.price),
      currency_code: currencyCode,
      inventory: stored.stock,
    }
  }

  return {
    async listCategories({ limit, cursor }: ListQuery) {
      const { items, next_cursor } = page(await repository.listCategories({ limit, cursor }), limit)
      return { items: items.map(toCategory), next_cursor }
    },

    async getCategory(id: string): Promise<Category> {
      return toCategory(found(await repository.viewCategory(id), 'category'))
    },

    async createCategory(category: CreateCategory): Promise<Category> {
      return toCategory(await repository.createCategory(category))
    },

    async listProducts({ limit, cursor, category_id, id_account, q }: ProductListQuery) {
      const query = { limit, cursor, categoryId: category_id, accountId: id_account, text: q }
      const { items, next_cursor } = page(await repository.listProducts(query), limit)
      return { items: items.map(toProduct), next_cursor }
    },

    async getProduct(id: string): Promise<Product> {
      return toProduct(found(await repository.viewProduct(id), 'product'))
    },

    /** What the products that exist cost; an id that is not known is left out. */
    async getOffers(ids: string[]) {
      const offers = await repository.findOffers(ids)
      return offers.map(({ id, accountId, name, price }) => {
        return { id, account_id: accountId, name, price: Number(price) }
      })
    },

    async createProduct(accountId: string, product: CreateProduct): Promise<Product> {
      const { category_id, id_account, brand_name, ...fields } = product
      if (id_account !== undefined && id_account.toLowerCase() !== accountId) {
        throw new AppError('forbidden', 'id_account must be your own account id', {
          fields: [{ field: 'id_account', rule: 'must be your own account id' }],
        })
      }
      const created = await repository.createProduct({
        ...fields,
        accountId,
        categoryId: category_id,
        brandName: brand_name,
      })
      return toProduct(inCategory(created))
    },

    async updateProduct(accountId: string, id: string, fields: UpdateProduct): Promise<Product> {
      owned(accountId, await repository.findProduct(id))
      return toProduct(inCategory(await repository.updateProduct(id, fields)))
    },

    /** Adds to the free stock; a repeat under the same key adds nothing. */
    restock(accountId: string, id: string, idempotencyKey: string, quantity: number) {
      return repository.transaction(async (tx) => {
        const product = owned(accountId, await tx.lockProduct(id))
        const earlier = await tx.findRestock(id, idempotencyKey)
        if (earlier === quantity) return toProduct(product)
        if (earlier !== undefined) {
          throw unprocessable('idempotency-key', 'was used with another quantity')
        }
        if (product.received + quantity > maxStock) {
          throw unprocessable('quantity', `makes more than ${maxStock} received in all`)
        }
        return toProduct(await tx.restock(id, idempotencyKey, quantity))
      })
    },
  }
}

/** What purchases do to the stock: take it, give it back, or keep it for good. */
function createStock({ repository, publish, logger, metrics, overdueMs }: Deps) {
  const alarms = new Counter({
    name: 'settlement_alarms_total',
    help: 'Purchases whose end does not fit what is held for them',
    registers: [metrics.registry],
  })
  const sell = createBatchedWrite(async (purchaseIds: string[]) => {
    const sold = new Set(await repository.sellAll(purchaseIds))
    return purchaseIds.map((id) => sold.has(id))
  })
  let lastOverdue = nilId

  function alarm(fields: object, message: string) {
    alarms.inc()
    logger.error(fields, message)
  }

  return {
    /** Whether each product exists and that much of it is free now, each product once. Nothing is held. */
    async checkStock(lines: StockLine[]) {
      const wanted = mergeLines(lines)
      const stock = await repository.readStock(wanted.map((line) => line.productId))
      return wanted.map(({ productId, quantity }) => ({
        product_id: productId,
        exists: stock.has(productId),
        in_stock: (stock.get(productId) ?? 0) >= quantity,
      }))
    },

    /** A new command whose lines are free is one statement; every other one is told apart in a transaction. */
    async reserveStock(command: Command<'reserveStock'>): Promise<Reply<'reserveStock'>> {
      const lines = mergeLines(command.body.lines)
      if (!isExpired(command) && (await repository.holdNew(command, lines))) {
        return { outcome: 'done' }
      }
      return repository.transaction((tx) =>
        handleDo(tx.sql, command, async () => {
          const stock = await tx.lockStock(lines.map((line) => line.productId))
          if (stock.size < lines.length) return { outcome: 'rejected', reason: 'product_not_found' }
          const short = lines.some((line) => (stock.get(line.productId) ?? 0) < line.quantity)
          if (short) return { outcome: 'rejected', reason: 'out_of_stock' }
          const held = await tx.hold(command.purchaseId, lines)
          if (held !== lines.length) throw new Error('stock changed under its lock')
          return { outcome: 'done' }
        }),
      )
    },

    releaseStock(command: Command<'releaseStock'>): Promise<Reply<'releaseStock'>> {
      const { purchaseId } = command
      return repository.transaction((tx) =>
        handleUndo(tx.sql, command, async () => {
          const holds = await tx.lockHolds(purchaseId)
          const released = await tx.release(purchaseId)
          if (released === holds.length) return
          alarm({ purchase_id: purchaseId, holds }, 'stock to release is not held')
        }),
      )
    },

    /** Sells what a completed purchase holds. Any other end has released it before, so nothing is left to do. */
    async settle({ purchase_id, status }: EventBody<'purchaseEnded'>): Promise<void> {
      const completed = status === 'COMPLETED'
      if (completed && (await sell(purchase_id))) return
      await repository.transaction(async (tx) => {
        const holds = await tx.lockHolds(purchase_id)
        const fits = completed
          ? holds.length > 0 && holds.every((hold) => hold.status !== 'RELEASED')
          : holds.every((hold) => hold.status === 'RELEASED')
        if (!fits) alarm({ purchase_id, status, holds }, 'purchase end does not fit its holds')
        else if (completed) await tx.sell(purchase_id)
      })
    },

    /**
     * Asks how purchases ended that hold stock for too long. Each call goes on where the last one stopped, so that
     * purchases which stay open do not hide those behind them.
     */
    async announceOverdue(): Promise<void> {
      const overdue = await repository.overduePurchases(overdueMs, lastOverdue, overdueBatch)
      await Promise.all(
        overdue.map((purchase_id) => sendEvent(publish, 'settlementOverdue', { purchase_id })),
      )
      lastOverdue = overdue.length < overdueBatch ? nilId : (overdue.at(-1) ?? nilId)
      if (overdue.length > 0) logger.warn({ count: overdue.length }, 'settlements are overdue')
    },
  }
}

function toCategory({ id, name, description }: CategoryView): Category {
  return { id, name, description }
}

/** One line per product. Ids are compared as the database writes them. */
function mergeLines(lines: StockLine[]): Line[] {
  const quantities = new Map<string, number>()
  for (const { product_id, quantity } of lines) {
    const id = product_id.toLowerCase()
    quantities.set(id, (quantities.get(id) ?? 0) + quantity)
  }
  return [...quantities].map(([productId, quantity]) => ({ productId, quantity }))
}

function found<T>(stored: T | null, what: string): T {
  if (stored === null) throw new AppError('not_found', `there is no such ${what}`)
  return stored
}

/** Everybody may see a product, so one of another seller is forbidden and not missing. */
function owned(accountId: string, stored: StoredProduct | null): StoredProduct {
  const product = found(stored, 'product')
  if (product.accountId !== accountId) {
    throw new AppError('forbidden', 'the product belongs to another account')
  }
  return product
}

function inCategory(written: StoredProduct | undefined): StoredProduct {
  if (!written) throw unprocessable('category_id', 'must be a category that exists')
  return written
}

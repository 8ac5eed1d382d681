import { type ListQuery, page } from '../../shared/contracts/list.ts'
import type { AdjustStock, Product } from '../../shared/contracts/product.ts'
import { unprocessable } from '../../shared/runtime/errors.ts'
import { found, owned } from './catalog.ts'
import { toAdjustment, toProduct } from './mapping.ts'
import type { Repository, StoredProduct } from './repository.ts'

const withdrawBatch = 500
const maxStock = 2_147_483_647

/** What a seller does to the stock and the sale of the own products. */
export function createInventory({
  repository,
  currencyCode,
}: {
  repository: Repository
  currencyCode: string
}) {
  const show = (stored: StoredProduct) => toProduct(stored, currencyCode, true)

  async function setWithdrawn(accountId: string, id: string, withdrawn: boolean): Promise<Product> {
    owned(accountId, await repository.findProduct(id))
    return show(found((await repository.setWithdrawn(id, withdrawn)) ?? null, 'product'))
  }

  return {
    /** Adds to the free stock; a repeat under the same key adds nothing. */
    restock(accountId: string, id: string, idempotencyKey: string, quantity: number) {
      return repository.transaction(async (tx) => {
        const product = owned(accountId, await tx.lockProduct(id))
        const earlier = await tx.findRestock(id, idempotencyKey)
        if (earlier === quantity) return show(product)
        if (earlier !== undefined) {
          throw unprocessable('idempotency-key', 'was used with another quantity')
        }
        if (product.received + quantity > maxStock) {
          throw unprocessable('quantity', `makes more than ${maxStock} received in all`)
        }
        return show(await tx.restock(id, idempotencyKey, quantity))
      })
    },

    /** Takes out of the free stock, and never what purchases hold; a repeat under the same key takes nothing. */
    adjustStock(accountId: string, id: string, idempotencyKey: string, adjustment: AdjustStock) {
      return repository.transaction(async (tx) => {
        const product = owned(accountId, await tx.lockProduct(id))
        const earlier = await tx.findAdjustment(id, idempotencyKey)
        if (earlier) {
          const { quantity, reason } = adjustment
          if (earlier.quantity === quantity && earlier.reason === reason) return show(product)
          throw unprocessable('idempotency-key', 'was used with another quantity or reason')
        }
        if (adjustment.quantity > product.stock) {
          throw unprocessable('quantity', `is more than the ${product.stock} that are free`)
        }
        return show(await tx.adjust(id, idempotencyKey, adjustment))
      })
    },

    async listAdjustments(accountId: string, id: string, query: ListQuery) {
      owned(accountId, await repository.findProduct(id))
      const { items, next_cursor } = page(await repository.listAdjustments(id, query), query.limit)
      return { items: items.map(toAdjustment), next_cursor }
    },

    /** From now on no purchase takes any of it; purchases that hold some go on. */
    withdraw: (accountId: string, id: string) => setWithdrawn(accountId, id, true),

    /** Withdraws products of an account that sells no more, a batch of them; the number. */
    withdrawAll: async (accountId: string): Promise<number> =>
      (await repository.withdrawOf(accountId, withdrawBatch)).length,

    /** Sells a withdrawn product again. */
    offer: (accountId: string, id: string) => setWithdrawn(accountId, id, false),
  }
}

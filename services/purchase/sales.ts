import { page } from '../../shared/contracts/list.ts'
import type { PurchaseListQuery, Sale } from '../../shared/contracts/purchase.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import type { Repository } from './repository.ts'
import { toSale } from './views.ts'

/** What sellers see of purchases. */
export function createSales(repository: Pick<Repository, 'listSales' | 'findSale'>) {
  return {
    async list(sellerId: string, query: PurchaseListQuery) {
      const rows = await repository.listSales(sellerId, query)
      const { items, next_cursor } = page(
        rows.map((row) => ({ id: row.purchaseId, row })),
        query.limit,
      )
      return { items: items.map(({ row }) => toSale(row)), next_cursor }
    },

    /** A purchase without a line of the seller is answered like a missing one. */
    async get(sellerId: string, purchaseId: string): Promise<Sale> {
      const row = await repository.findSale(sellerId, purchaseId)
      if (!row) throw new AppError('not_found', 'there is no such sale')
      return toSale(row)
    },
  }
}

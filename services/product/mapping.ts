import { createHash } from 'node:crypto'
import type { Category, Product, StockAdjustment } from '../../shared/contracts/product.ts'
import type { StoredAdjustment } from './inventory-repository.ts'
import type { CategoryView, EditableProduct, ProductView } from './repository.ts'

/** A product as everybody sees it; to its seller (`owned`) it shows the stock of a withdrawn one too. */
export function toProduct(stored: ProductView, currencyCode: string, owned = false): Product {
  const withdrawn = stored.withdrawnAt !== null
  return {
    id: stored.id,
    category_id: stored.categoryId,
    id_account: stored.accountId,
    name: stored.name,
    description: stored.description,
    brand_name: stored.brandName,
    price: Number(stored.price),
    currency_code: currencyCode,
    inventory: withdrawn && !owned ? 0 : stored.stock,
    withdrawn,
    version: versionOf(stored),
  }
}

export function toCategory({ id, name, description }: CategoryView): Category {
  return { id, name, description }
}

export function toAdjustment(stored: StoredAdjustment): StockAdjustment {
  const { id, quantity, reason, createdAt } = stored
  return { id, quantity, reason, created_at: createdAt.toISOString() }
}

/** Changes whenever a field changes that the seller may change. */
export function versionOf({ categoryId, name, description, brandName, price }: EditableProduct) {
  const fields = [categoryId, name, description, brandName, Number(price)]
  return createHash('sha256').update(JSON.stringify(fields)).digest('base64url').slice(0, 22)
}

import { createHash } from 'node:crypto'
import { newId } from '../../shared/contracts/ids.ts'
import { type ListQuery, page } from '../../shared/contracts/list.ts'
import type {
  Category,
  CreateCategory,
  CreateProduct,
  OwnProductListQuery,
  Product,
  ProductListQuery,
  UpdateProduct,
} from '../../shared/contracts/product.ts'
import { assertRole, type Caller } from '../../shared/http/auth.ts'
import { AppError, unprocessable } from '../../shared/runtime/errors.ts'
import { toCategory, toProduct, versionOf } from './mapping.ts'
import type { Creation, ProductView, Repository, StoredProduct } from './repository.ts'

export const categoryMakers = ['anybody', 'admins'] as const
type CategoryMakers = (typeof categoryMakers)[number]

/** What sellers write and anyone reads. */
export function createCatalog({
  repository,
  currencyCode,
  categoriesBy,
}: {
  repository: Repository
  /** Minor units of which every price is a number. */
  currencyCode: string
  /** Who makes categories. */
  categoriesBy: CategoryMakers
}) {
  const show = (stored: ProductView) => toProduct(stored, currencyCode)
  const showOwn = (stored: ProductView) => toProduct(stored, currencyCode, true)

  /** The id of what was created under a key that is used. */
  async function idUnder({ accountId, idempotencyKey, bodyHash }: Creation): Promise<string> {
    const earlier = found(await repository.findCreation(accountId, idempotencyKey), 'key')
    if (earlier.bodyHash !== bodyHash) {
      throw unprocessable('idempotency-key', 'was used with another body')
    }
    return earlier.createdId
  }

  return {
    async listCategories(query: ListQuery) {
      const { items, next_cursor } = page(await repository.listCategories(query), query.limit)
      return { items: items.map(toCategory), next_cursor }
    },

    async getCategory(id: string): Promise<Category> {
      return toCategory(found(await repository.viewCategory(id), 'category'))
    },

    /** Creates it once per key: a repeat gets what the first request created. */
    async createCategory(caller: Caller, category: CreateCategory, idempotencyKey?: string) {
      if (categoriesBy === 'admins') assertRole(caller, 'admin')
      const { accountId } = caller
      if (idempotencyKey === undefined) return toCategory(await repository.createCategory(category))
      const creation = creationOf(accountId, idempotencyKey, ['category', category])
      const created = await repository.createCategoryOnce({ id: newId(), ...category }, creation)
      if (created !== 'key_used') return toCategory(created)
      return toCategory(found(await repository.findCategory(await idUnder(creation)), 'category'))
    },

    async listProducts({ category_id, id_account, q, ...rest }: ProductListQuery) {
      const query = { ...rest, categoryId: category_id, accountId: id_account, text: q }
      const rows = await repository.listProducts({ ...query, withdrawn: false })
      const { items, next_cursor } = page(rows, query.limit)
      return { items: items.map(show), next_cursor }
    },

    /** A seller's own products, withdrawn ones included. */
    async listOwn(accountId: string, { category_id, q, withdrawn, ...rest }: OwnProductListQuery) {
      const query = { ...rest, categoryId: category_id, accountId, text: q }
      const only = withdrawn === undefined ? {} : { withdrawn: withdrawn === 'true' }
      const { items, next_cursor } = page(
        await repository.listProducts({ ...query, ...only }),
        query.limit,
      )
      return { items: items.map(showOwn), next_cursor }
    },

    async getProduct(id: string): Promise<Product> {
      return show(found(await repository.viewProduct(id), 'product'))
    },

    /** What the products that exist cost; an id that is not known is left out. */
    async getOffers(ids: string[]) {
      const offers = await repository.findOffers(ids)
      return offers.map(({ accountId, price, ...offer }) => {
        return { ...offer, account_id: accountId, price: Number(price) }
      })
    },

    /** Creates it once per key: a repeat gets what the first request created, as it is now. */
    async createProduct(
      accountId: string,
      product: CreateProduct,
      idempotencyKey?: string,
    ): Promise<Product> {
      const { category_id, id_account, brand_name, ...fields } = product
      if (id_account !== undefined && id_account.toLowerCase() !== accountId) {
        throw new AppError('forbidden', 'id_account must be your own account id', {
          fields: [{ field: 'id_account', rule: 'must be your own account id' }],
        })
      }
      const row = { ...fields, accountId, categoryId: category_id, brandName: brand_name }
      if (idempotencyKey === undefined)
        return showOwn(inCategory(await repository.createProduct(row)))
      const creation = creationOf(accountId, idempotencyKey, ['product', product])
      const created = await repository.createProductOnce({ id: newId(), ...row }, creation)
      if (created !== 'key_used') return showOwn(inCategory(created))
      return showOwn(found(await repository.findProduct(await idUnder(creation)), 'product'))
    },

    /** Changes the fields that are given. `ifMatch`: the versions of which the product must have one, or `*`. */
    async updateProduct(
      accountId: string,
      id: string,
      fields: UpdateProduct,
      ifMatch?: string,
    ): Promise<Product> {
      const stored = owned(accountId, await repository.findProduct(id))
      if (ifMatch === undefined || ifMatch.trim() === '*') {
        const updated = await repository.updateProduct(id, fields)
        if (updated !== 'changed') return showOwn(inCategory(updated))
        throw new AppError('not_found', 'there is no such product')
      }
      if (!versionsIn(ifMatch).includes(versionOf(stored))) throw changed()
      const { categoryId, name, description, brandName, price } = stored
      const expected = { categoryId, name, description, brandName, price }
      const updated = await repository.updateProduct(id, fields, expected)
      if (updated === 'changed') throw changed()
      return showOwn(inCategory(updated))
    },
  }
}

export function found<T>(stored: T | null, what: string): T {
  if (stored === null) throw new AppError('not_found', `there is no such ${what}`)
  return stored
}

/** Everybody may see a product, so one of another seller is forbidden and not missing. */
export function owned(accountId: string, stored: StoredProduct | null): StoredProduct {
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

function creationOf(
  accountId: string,
  idempotencyKey: string,
  request: [string, object],
): Creation {
  const bodyHash = createHash('sha256').update(JSON.stringify(request)).digest('base64url')
  return { accountId, idempotencyKey, bodyHash }
}

/** The strong tags of a header If-Match; a weak one never matches. */
function versionsIn(ifMatch: string): string[] {
  const tags = ifMatch.matchAll(/(W\/)?"([^"]*)"/g)
  return [...tags].flatMap(([, weak, tag]) => (weak || tag === undefined ? [] : [tag]))
}

function changed(): AppError {
  return new AppError('precondition_failed', 'the product is not the version that If-Match names')
}

import type { productRoutes } from '../../shared/contracts/product.ts'
import type { Handlers } from '../../shared/http.ts'
import type { ProductService } from './service.ts'

export function createHandlers(service: ProductService): Handlers<typeof productRoutes> {
  return {
    listProducts: ({ query }) => service.listProducts(query),
    getProduct: ({ params }) => service.getProduct(params.id),
    createProduct: ({ caller, body }) => service.createProduct(caller.accountId, body),
    updateProduct: ({ caller, params, body }) =>
      service.updateProduct(caller.accountId, params.id, body),
    restockProduct: ({ caller, params, headers, body }) =>
      service.restock(caller.accountId, params.id, headers['idempotency-key'], body.quantity),
    listCategories: ({ query }) => service.listCategories(query),
    getCategory: ({ params }) => service.getCategory(params.id),
    createCategory: ({ body }) => service.createCategory(body),
  }
}

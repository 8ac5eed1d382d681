import type { productRoutes } from '../../shared/contracts/product.ts'
import type { Handlers } from '../../shared/route.ts'
import type { ProductMediaReader } from './media.ts'
import type { ProductService } from './service.ts'

export function createHandlers(
  service: ProductService,
  media: ProductMediaReader,
): Handlers<typeof productRoutes> {
  return {
    listProducts: ({ query }) => media.toPage(service.listProducts(query)),
    getProduct: ({ params }) => media.toOne(service.getProduct(params.id)),
    createProduct: ({ caller, body }) => media.toOne(service.createProduct(caller.accountId, body)),
    updateProduct: ({ caller, params, body }) =>
      media.toOne(service.updateProduct(caller.accountId, params.id, body)),
    restockProduct: ({ caller, params, headers, body }) =>
      media.toOne(
        service.restock(caller.accountId, params.id, headers['idempotency-key'], body.quantity),
      ),
    listCategories: ({ query }) => service.listCategories(query),
    getCategory: ({ params }) => service.getCategory(params.id),
    createCategory: ({ body }) => service.createCategory(body),
  }
}

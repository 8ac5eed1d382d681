import type { productRoutes } from '../../shared/contracts/product.ts'
import type { Handlers } from '../../shared/http/route.ts'
import type { ProductMediaReader } from './media.ts'
import type { ProductService } from './service.ts'

export function createHandlers(
  service: ProductService,
  media: ProductMediaReader,
): Handlers<typeof productRoutes> {
  return {
    listProducts: ({ query }) => media.toPage(service.listProducts(query)),
    listOwnProducts: ({ caller, query }) => media.toPage(service.listOwn(caller.accountId, query)),
    getProduct: ({ params }) => media.toOne(service.getProduct(params.id)),
    createProduct: ({ caller, headers, body }) =>
      media.toOne(service.createProduct(caller.accountId, body, headers['idempotency-key'])),
    updateProduct: ({ caller, params, headers, body }) =>
      media.toOne(service.updateProduct(caller.accountId, params.id, body, headers['if-match'])),
    patchProduct: ({ caller, params, headers, body }) =>
      media.toOne(service.updateProduct(caller.accountId, params.id, body, headers['if-match'])),
    restockProduct: ({ caller, params, headers, body }) =>
      media.toOne(
        service.restock(caller.accountId, params.id, headers['idempotency-key'], body.quantity),
      ),
    adjustStock: ({ caller, params, headers, body }) =>
      media.toOne(
        service.adjustStock(caller.accountId, params.id, headers['idempotency-key'], body),
      ),
    listAdjustments: ({ caller, params, query }) =>
      service.listAdjustments(caller.accountId, params.id, query),
    withdrawProduct: ({ caller, params }) =>
      media.toOne(service.withdraw(caller.accountId, params.id)),
    offerProduct: ({ caller, params }) => media.toOne(service.offer(caller.accountId, params.id)),
    listCategories: ({ query }) => service.listCategories(query),
    getCategory: ({ params }) => service.getCategory(params.id),
    createCategory: ({ caller, headers, body }) =>
      service.createCategory(caller, body, headers['idempotency-key']),
  }
}

import { accountRoutes } from './account.ts'
import { mediaRoutes } from './media.ts'
import { orderRoutes } from './order.ts'
import { paymentRoutes } from './payment.ts'
import { productRoutes } from './product.ts'
import { purchaseRoutes } from './purchase.ts'
import { refundRoutes } from './refund.ts'
import type { Routes } from './route.ts'

/** Every HTTP route of the shop, by the service that answers it. */
export const routesByService = {
  account: accountRoutes,
  product: productRoutes,
  order: orderRoutes,
  payment: { ...paymentRoutes, ...refundRoutes },
  purchase: purchaseRoutes,
  media: mediaRoutes,
} as const satisfies Record<string, Routes>

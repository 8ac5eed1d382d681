import { newId } from '../../shared/contracts/ids.ts'
import type { PurchaseDelivery } from '../../shared/contracts/purchase.ts'
import { connectGrpc } from '../../shared/grpc/client.ts'
import { startGrpcServer } from '../../shared/grpc/server.ts'
import type { ProductMessage } from '../../shared/grpc/services.ts'
import { verifyAccessToken } from '../../shared/http/auth.ts'
import { AppError } from '../../shared/runtime/errors.ts'
import { createLogger } from '../../shared/runtime/logger.ts'
import { testDelivery } from './purchase-service.ts'
import { testTokens } from './tokens.ts'

const host = '127.0.0.1'
const logger = createLogger('purchase', 'silent')
/** A machine that is busy with tests is no service that hangs. */
const patience = { deadlineMs: 30_000 }

/** account and product as purchase sees them. Everything is closed with `open`. */
export async function connectPurchaseNeighbours(open: AsyncDisposableStack) {
  const catalog = new Map<string, ProductMessage>()
  const revoked = new Set<string>()
  /** Of customers who changed theirs. */
  const deliveries = new Map<string, PurchaseDelivery>()
  const auth = await startGrpcServer({
    service: 'auth',
    host,
    port: 0,
    logger,
    handlers: {
      async Authenticate({ access_token }) {
        const { accountId } = verifyAccessToken(testTokens.config, access_token)
        if (revoked.has(accountId)) throw new AppError('unauthorized', 'the token is revoked')
        return { account_id: accountId, email_verified: false, roles: [] }
      },
      GetDeliveries: async ({ account_ids }) => ({
        deliveries: account_ids.map((account_id) => ({
          account_id,
          ...(deliveries.get(account_id) ?? testDelivery),
        })),
      }),
    },
  })
  open.defer(() => auth.close())
  const product = await startGrpcServer({
    service: 'product',
    host,
    port: 0,
    logger,
    handlers: {
      GetProducts: async ({ product_ids }) => ({
        products: product_ids.flatMap((id) => catalog.get(id) ?? []),
      }),
      CheckProducts: async () => ({ checks: [] }),
      GetHolds: async () => ({ holds: [] }),
      WithdrawProducts: async () => ({ withdrawn: 0 }),
    },
  })
  open.defer(() => product.close())
  const accounts = connectGrpc('auth', `${host}:${auth.port}`, patience)
  const products = connectGrpc('product', `${host}:${product.port}`, patience)
  open.defer(() => accounts.close())
  open.defer(() => products.close())

  function addProduct(price = 125): ProductMessage {
    const product = {
      id: newId(),
      account_id: newId(),
      name: `Tea for ${price}`,
      price,
      withdrawn: false,
      stock: 1_000_000,
    }
    catalog.set(product.id, product)
    return product
  }

  return { accounts, products, catalog, revoked, deliveries, addProduct }
}

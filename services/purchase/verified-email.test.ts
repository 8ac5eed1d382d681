import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { CreatePurchase } from '../../shared/contracts/purchase.ts'
import type { Caller } from '../../shared/http/auth.ts'
import { checkoutDefaults } from '../../test/helpers/purchase-service.ts'
import { createCheckout } from './checkout.ts'

class StoredError extends Error {
  override name = 'StoredError'
}

const caller: Caller = { accountId: randomUUID(), sessionId: randomUUID(), token: 'token' }
const body: CreatePurchase = {
  order_items: [{ product_id: randomUUID(), quantity: 1 }],
  payment: { currency_code: 'VND', method: 'sim_ok' },
}

/** Buys as a customer whose address is verified or not, up to where the purchase is stored. */
function buy({ required, verified }: { required: boolean; verified: boolean }, key?: string) {
  const stored = async () => {
    throw new StoredError()
  }
  const { create } = createCheckout({
    ...checkoutDefaults(),
    repository: { insert: stored, findByKey: async () => null } as never,
    products: {
      GetProducts: async ({ product_ids }) => ({
        products: product_ids.map((id) => ({
          id,
          account_id: id,
          name: 'Tea',
          price: 1,
          withdrawn: false,
          stock: 1_000,
        })),
      }),
    },
    requireVerifiedEmail: required,
  })
  return create({ ...caller, emailVerified: verified }, body, key)
}

describe('a purchase by a customer', () => {
  for (const key of [undefined, 'key']) {
    const how = key ? 'with an Idempotency-Key' : 'without an Idempotency-Key'

    it(`whose address is not verified is refused where that is required, ${how}`, async () => {
      await assert.rejects(buy({ required: true, verified: false }, key), { kind: 'forbidden' })
    })

    it(`whose address is verified goes on, and everybody's does where it is not required, ${how}`, async () => {
      await assert.rejects(buy({ required: true, verified: true }, key), StoredError)
      await assert.rejects(buy({ required: false, verified: false }, key), StoredError)
    })
  }
})

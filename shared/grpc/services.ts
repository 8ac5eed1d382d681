import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { PurchaseAccepted, RefundRequested } from '../contracts/events.ts'
import type { PurchaseDelivery } from '../contracts/purchase.ts'

/** Request and response of one unary call, as in the .proto file. */
export type Call = { request: object; response: object }

/** The services that exist: `.proto` file, full name (also Traefik's routing header), and their calls. */
export type GrpcServices = {
  auth: {
    Authenticate: {
      request: { access_token: string }
      response: { account_id: string; email_verified: boolean; roles: string[] }
    }
    GetDeliveries: {
      request: { account_ids: string[] }
      response: { deliveries: DeliveryMessage[] }
    }
  }
  product: {
    CheckProducts: {
      request: { lines: { product_id: string; quantity: number }[] }
      response: { checks: { product_id: string; exists: boolean; in_stock: boolean }[] }
    }
    GetProducts: {
      request: { product_ids: string[] }
      response: { products: ProductMessage[] }
    }
    GetHolds: {
      request: { purchase_id: string }
      response: { holds: HoldMessage[] }
    }
    WithdrawProducts: {
      request: { account_id: string }
      response: { withdrawn: number }
    }
  }
  order: {
    GetOrders: {
      request: { order_ids: string[] }
      response: { orders: OrderMessage[] }
    }
  }
  payment: {
    GetPayments: {
      request: { payment_ids: string[] }
      response: { payments: PaymentMessage[] }
    }
  }
  media: {
    ListByProducts: {
      request: { product_ids: string[] }
      response: { media: MediaMessage[] }
    }
  }
  purchase: {
    GetStates: {
      request: { purchase_ids: string[] }
      response: { states: PurchaseStateMessage[] }
    }
    GetAccepted: {
      request: { purchase_id: string }
      response: PurchaseAccepted
    }
    GetRecord: {
      request: { purchase_id: string }
      response: PurchaseRecordMessage
    }
    ListAttention: {
      request: { limit: number }
      response: { purchases: AttentionMessage[] }
    }
    CountOpen: {
      request: object
      response: OpenCountsMessage
    }
    GetReceipts: {
      request: { purchase_ids: string[] }
      response: { receipts: ReceiptMessage[] }
    }
    ForgetCustomer: {
      request: { customer_id: string }
      response: { unfinished: number; more: boolean }
    }
  }
  saga: {
    Cancel: {
      request: PurchaseAccepted
      response: { verdict: string }
    }
    StartRefund: {
      request: StartRefundMessage
      response: { state: string }
    }
  }
}

export type ProductMessage = {
  id: string
  account_id: string
  name: string
  price: number
  withdrawn: boolean
  stock: number
}

export type ReceiptMessage = Pick<
  PurchaseAccepted,
  'purchase_id' | 'lines' | 'amount' | 'currency_code'
> & {
  /** Versions from before refunds answer none. */
  status: string
  delivery: PurchaseDelivery | null
  sales: { seller_id: string; product_ids: string[] }[]
}

/** As on the wire, where a missing seller is empty. */
export type StartRefundMessage = Omit<RefundRequested, 'seller_id'> & { seller_id: string }

export type DeliveryMessage = {
  account_id: string
  name: string
  address: string
  phone_number: string
}

/** As on the wire, where what a video does not have is empty or 0. */
type MediaMessage = {
  id: string
  product_id: string
  kind: string
  content_type: string
  url: string
  thumbnail_url: string
  alt: string
  width: number
  height: number
}

/** As on the wire, where a reason or step that is missing is empty. `updated_at` is in ms since 1970. */
export type PurchaseStateMessage = {
  purchase_id: string
  customer_id: string
  status: string
  reason: string
  failed_step: string
  cancel_requested: boolean
  updated_at: number
  queued: boolean
}

/** Times in this and the following messages are in ms since 1970; 0, or an empty text, is what is missing. */
export type PurchaseRecordMessage = {
  accepted: PurchaseAccepted
  status: string
  reason: string
  failed_step: string
  attention_reason: string
  needs_attention_at: number
  released_at: number
  published_at: number
  cancel_requested_at: number
  cancel_delivered_at: number
  created_at: number
  updated_at: number
  steps: { name: string; outcome: string; reason: string; at: number }[]
  actions: {
    action_id: string
    operator: string
    action: string
    step: string
    note: string
    at: number
  }[]
}

export type AttentionMessage = {
  purchase_id: string
  customer_id: string
  status: string
  reason: string
  since: number
  amount: number
  currency_code: string
}

/** `queued` wait for their turn, `accepted` have been released and have no step yet. */
export type OpenCountsMessage = {
  queued: number
  accepted: number
  processing: number
  cancelling: number
  oldest_at: number
  /** Also of purchases that have ended. */
  needs_attention: number
}

export type HoldMessage = {
  product_id: string
  quantity: number
  status: string
  updated_at: number
  stock: number
  held: number
  sold: number
  received: number
}

export type OrderMessage = {
  id: string
  customer_id: string
  status: string
  amount: number
  currency_code: string
  created_at: number
  updated_at: number
}

/** `provider_status`: empty when the provider knows no charge, UNAVAILABLE when it did not answer. */
export type PaymentMessage = OrderMessage & {
  method: string
  provider_reference: string
  failure_reason: string
  provider_status: string
}

/** Also the value of the header by which Traefik routes a call. */
export const fullNames: Record<keyof GrpcServices, string> = {
  auth: 'auth.AuthService',
  product: 'product.ProductService',
  order: 'order.OrderService',
  payment: 'payment.PaymentService',
  media: 'media.MediaService',
  purchase: 'purchase.PurchaseService',
  saga: 'saga.SagaService',
}

/** Reads the .proto file of a service. Throws when the service is not in it. */
export function definitionOf(name: keyof GrpcServices): ServiceDefinition {
  const file = new URL(`./proto/${name}.proto`, import.meta.url).pathname
  const loaded = loadSync(file, { keepCase: true, longs: Number, defaults: true, arrays: true })
  const [packageName = '', serviceName = ''] = fullNames[name].split('.')
  const packages = loadPackageDefinition(loaded) as unknown as Record<
    string,
    Record<string, { service: ServiceDefinition }>
  >
  const service = packages[packageName]?.[serviceName]?.service
  if (!service) throw new Error(`${fullNames[name]} is not in ${file}`)
  return service
}

/** A function per call of a service: a missing one does not compile. */
export type GrpcHandlers<N extends keyof GrpcServices> = {
  [M in keyof GrpcServices[N]]: GrpcServices[N][M] extends Call
    ? (request: GrpcServices[N][M]['request']) => Promise<GrpcServices[N][M]['response']>
    : never
}

// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
export { finishPurchase, purchase, refusePurchase } from './purchase.ts'
export { refund } from './refund.ts'

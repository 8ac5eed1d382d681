// Replayed code: no clock, random, env or I/O here. The world is reached through activities.
export { purchase, refusePurchase } from './purchase.ts'

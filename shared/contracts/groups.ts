/**
 * The consumer groups of the shop, without the prefix of its topics. Any other group that reads its topics is foreign.
 */
export const consumerGroups = [
  'account-results',
  'mail',
  'orchestrator-purchases',
  'orchestrator-replies',
  'order-commands',
  'order-results',
  'payment-commands',
  'product-commands',
  'product-results',
  'purchase-progress',
  'purchase-results',
] as const

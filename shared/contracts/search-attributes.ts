import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common'

/** What the Temporal Web UI can filter purchases by. Ids only, no personal data. */
export const purchaseStatus = defineSearchAttributeKey(
  'PurchaseStatus',
  SearchAttributeType.KEYWORD,
)
/** The same of refunds, which have a workflow of their own. */
export const refundStatus = defineSearchAttributeKey('RefundStatus', SearchAttributeType.KEYWORD)
/** The purchase of a refund. */
export const purchaseIdKey = defineSearchAttributeKey('PurchaseId', SearchAttributeType.KEYWORD)
export const customerId = defineSearchAttributeKey('CustomerId', SearchAttributeType.KEYWORD)
export const failedStep = defineSearchAttributeKey('FailedStep', SearchAttributeType.KEYWORD)
export const failureReason = defineSearchAttributeKey('FailureReason', SearchAttributeType.KEYWORD)

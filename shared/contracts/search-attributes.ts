import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common'

/** What the Temporal Web UI can filter purchases by. Ids only, no personal data. */
export const purchaseStatus = defineSearchAttributeKey(
  'PurchaseStatus',
  SearchAttributeType.KEYWORD,
)
export const customerId = defineSearchAttributeKey('CustomerId', SearchAttributeType.KEYWORD)
export const failedStep = defineSearchAttributeKey('FailedStep', SearchAttributeType.KEYWORD)
export const failureReason = defineSearchAttributeKey('FailureReason', SearchAttributeType.KEYWORD)

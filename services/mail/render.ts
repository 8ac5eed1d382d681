import type { EmailRequested } from '../../shared/contracts/mail.ts'
import { resetPassword, verifyEmail } from './templates/codes.ts'
import type { Rendered } from './templates/layout.ts'
import {
  paymentRefunded,
  productSold,
  purchaseCancelled,
  purchaseCompleted,
  purchaseNeedsAttention,
  purchaseRejected,
} from './templates/purchases.ts'

/** Subject, text and HTML of a mail. A template without a function here does not compile. */
export function render(mail: EmailRequested): Rendered {
  switch (mail.template) {
    case 'verify-email':
      return verifyEmail(mail.data)
    case 'reset-password':
      return resetPassword(mail.data)
    case 'purchase-completed':
      return purchaseCompleted(mail.data)
    case 'purchase-rejected':
      return purchaseRejected(mail.data)
    case 'purchase-cancelled':
      return purchaseCancelled(mail.data)
    case 'product-sold':
      return productSold(mail.data)
    case 'payment-refunded':
      return paymentRefunded(mail.data)
    case 'purchase-needs-attention':
      return purchaseNeedsAttention(mail.data)
  }
}

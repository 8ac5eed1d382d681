import type { TemplateData } from '../../../shared/contracts/mail.ts'
import { letter, type Rendered } from './letter.ts'

export function purchaseCompleted(data: TemplateData<'purchase-completed'>): Rendered {
  return letter({
    subject: 'Your purchase is complete',
    to: data.first_name,
    paragraphs: [
      `Thank you for your purchase ${data.purchase_id}. It is paid for, and the order is confirmed.`,
    ],
  })
}

/** What a customer can do something with; every other reason is ours. */
const reasons: Record<string, string> = {
  out_of_stock: 'There was not enough of it in stock.',
  product_not_found: 'Something in it is not sold any more.',
  payment_declined: 'The payment was declined.',
  payment_unavailable: 'The payment could not be made just now.',
}

export function purchaseRejected(data: TemplateData<'purchase-rejected'>): Rendered {
  const reason = data.reason !== null && Object.hasOwn(reasons, data.reason) && reasons[data.reason]
  return letter({
    subject: 'Your purchase could not be made',
    to: data.first_name,
    paragraphs: [
      `We are sorry: your purchase ${data.purchase_id} could not be made.`,
      reason || 'Something went wrong on our side.',
      'You pay nothing for it. A payment that was taken is given back.',
    ],
  })
}

export function purchaseCancelled(data: TemplateData<'purchase-cancelled'>): Rendered {
  return letter({
    subject: 'Your purchase is cancelled',
    to: data.first_name,
    paragraphs: [
      `Your purchase ${data.purchase_id} is cancelled, as you asked.`,
      'You pay nothing for it. A payment that was taken is given back.',
    ],
  })
}

/** What an operator has to know; docs/operations.md says what to do then. */
const attention: Record<string, string> = {
  undo_stuck:
    'Something that was done for it cannot be undone. It is tried again every 30 seconds.',
  undo_poisoned: 'A command that undoes something of it could not be read, and is in dead-letters.',
  settlement_poisoned: 'It has ended, but a service could not take note of that.',
  saga_overdue: 'Its saga has been running for too long.',
  saga_broken: 'Its saga was ended from outside, and could not be taken up again.',
}

export function purchaseNeedsAttention(data: TemplateData<'purchase-needs-attention'>): Rendered {
  const what = Object.hasOwn(attention, data.reason) && attention[data.reason]
  return letter({
    subject: `Purchase ${data.purchase_id} needs attention`,
    to: 'operator',
    paragraphs: [
      `Purchase ${data.purchase_id} cannot go on by itself.`,
      what || data.reason,
      data.steps.length > 0 ? `Steps: ${data.steps.join(', ')}.` : 'No single step is named.',
      'docs/operations.md says what to do.',
    ],
  })
}

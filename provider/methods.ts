/** What a payment method makes of a payment. */
export type Behaviour =
  | 'charge'
  | 'decline'
  | 'lose_answer'
  | 'fail_once'
  | 'refund_fails'
  | 'dispute'

/**
 * The payment methods that the simulator knows. Those of `pm_card_` are Stripe's own test methods and do the same
 * there; those of `pm_sim_` exist only here.
 *
 *   charge        captures
 *   decline       is refused by the card's bank
 *   dispute       captures, and the cardholder disputes it at once
 *   lose_answer   captures, but neither the answer nor the event arrives: the money moved and the shop does not know
 *   fail_once     the first confirmation fails without effect, the second works
 *   refund_fails  captures; cancelling and refunding fail for the first `refund_failures` calls
 */
const behaviours: Record<string, Behaviour> = {
  pm_card_visa: 'charge',
  pm_card_visa_chargeDeclined: 'decline',
  pm_card_createDispute: 'dispute',
  pm_sim_timeout: 'lose_answer',
  pm_sim_fail_once: 'fail_once',
  pm_sim_refund_fails: 'refund_fails',
}

export function behaviourOf(paymentMethod: string): Behaviour | undefined {
  return Object.hasOwn(behaviours, paymentMethod) ? behaviours[paymentMethod] : undefined
}

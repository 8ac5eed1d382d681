import type { SimulatedMethod } from '../../shared/contracts/payment.ts'

/**
 * The shop's names of payment methods to try it with, in the provider's words. The first two are test methods of Stripe
 * itself; `pm_sim_` exists at the simulator only.
 */
const methods: Record<SimulatedMethod, string> = {
  sim_ok: 'pm_card_visa',
  sim_declined: 'pm_card_visa_chargeDeclined',
  sim_timeout: 'pm_sim_timeout',
  sim_fail_once: 'pm_sim_fail_once',
  sim_refund_fails: 'pm_sim_refund_fails',
}

/** The provider's name of a method. One of the provider's own is that name. */
export function providerMethod(method: string): string {
  return Object.hasOwn(methods, method) ? methods[method as SimulatedMethod] : method
}

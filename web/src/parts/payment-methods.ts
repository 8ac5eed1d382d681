import type { Schemas } from '../api/client.ts'

export type PaymentMethod = Schemas['SimulatedMethod']

/** What the simulated provider does, in words of a customer. One that is missing does not compile. */
export const paymentMethods: Record<PaymentMethod, { name: string; what: string }> = {
  sim_ok: { name: 'Card', what: 'The payment works.' },
  sim_declined: {
    name: 'Card that is declined',
    what: 'The bank refuses, and everything is undone.',
  },
  sim_timeout: {
    name: 'Card that hangs',
    what: 'The bank never answers. After half a minute everything is undone.',
  },
  sim_fail_once: {
    name: 'Card that works at the second attempt',
    what: 'The first attempt gets no answer, the next one works.',
  },
  sim_refund_fails: {
    name: 'Card whose refund fails at first',
    what: 'The payment works. If it must be given back, that fails, and an operator is told.',
  },
}

export function methodName(method: string): string {
  return method in paymentMethods ? paymentMethods[method as PaymentMethod].name : method
}

import { z } from 'zod'
import { ApiError } from './errors.ts'

const calls = ['create', 'confirm', 'cancel', 'refund', 'retrieve', 'list'] as const
export type Call = (typeof calls)[number]

const selection = {
  probability: z.number().min(0).max(1).default(1),
  /** At most this many times. */
  limit: z.int().positive().optional(),
  ms: z.int().nonnegative().default(0),
}

const CallFault = z.strictObject({
  on: z.array(z.enum(calls)).default([...calls]),
  /** `error_after`: it takes effect and is answered 500. `slow`: the answer waits for `ms`. */
  call: z.enum(['slow', 'error_before', 'error_after', 'conflict', 'rate_limit']),
  ...selection,
})
const EventFault = z.strictObject({
  /** `delay`: by up to `ms`, so that events overtake each other. `drop`: it never arrives. */
  event: z.enum(['duplicate', 'drop', 'delay']),
  ...selection,
})

export const Settings = z.strictObject({
  refund_failures: z.int().min(0).optional(),
  faults: z
    .array(z.union([CallFault, EventFault]))
    .max(20)
    .optional(),
})
type Fault = z.output<typeof CallFault> | z.output<typeof EventFault>
export type Settings = z.input<typeof Settings>

export type Faults = ReturnType<typeof createFaults>

/** What the provider does wrong on demand, beside what payment methods ask for. For drills. */
export function createFaults({ refundFailures }: { refundFailures: number }) {
  let refund_failures = refundFailures
  let armed: (Fault & { made: number })[] = []
  let made: Record<string, number> = {}

  function strike(fault: Fault & { made: number }, name: string): boolean {
    if (fault.limit !== undefined && fault.made >= fault.limit) return false
    if (Math.random() >= fault.probability) return false
    fault.made += 1
    made[name] = (made[name] ?? 0) + 1
    return true
  }

  return {
    refundFailures: () => refund_failures,

    /** Replaces what is named; faults begin to count again. */
    set({ refund_failures: failures, faults }: z.output<typeof Settings>): void {
      refund_failures = failures ?? refund_failures
      if (!faults) return
      armed = faults.map((fault) => ({ ...fault, made: 0 }))
      made = {}
    },

    /** How often each fault was made since they were set. */
    counts: () => made,

    /** Of the faults that are set for a call, the one that it meets. */
    ofCall(call: Call) {
      return armed.find(
        (fault): fault is z.output<typeof CallFault> & { made: number } =>
          'call' in fault && fault.on.includes(call) && strike(fault, fault.call),
      )
    },

    ofEvent() {
      return armed.find(
        (fault): fault is z.output<typeof EventFault> & { made: number } =>
          'event' in fault && strike(fault, fault.event),
      )
    },
  }
}

export const conflict = () =>
  new ApiError(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: 'There is currently another in-progress request using this Idempotency-Key.',
  })

export const rateLimited = () =>
  new ApiError(
    429,
    { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests.' },
    { headers: { 'Retry-After': '1' } },
  )

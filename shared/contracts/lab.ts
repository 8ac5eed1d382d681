import { z } from 'zod'
import type { Routes } from './route.ts'

/** What can be broken, and whether that needs the launcher of the native stack. */
export const switchKinds = {
  'kill-service': { launcher: true, target: true, percent: false },
  'stop-engine': { launcher: true, target: true, percent: false },
  'lose-replies': { launcher: true, target: false, percent: true },
  'double-replies': { launcher: true, target: false, percent: true },
  'lose-payment-replies': { launcher: true, target: false, percent: true },
  'hang-provider': { launcher: true, target: false, percent: true },
  'decline-payments': { launcher: false, target: false, percent: true },
} as const
export type SwitchKind = keyof typeof switchKinds
export const switchNames = Object.keys(switchKinds) as SwitchKind[]

export const tourNames = [
  'kill-payment',
  'lose-replies',
  'refund-fails',
  'two-hundred-buyers',
  'temporal-stops',
] as const
export type TourName = (typeof tourNames)[number]
/** All tours of a lab, one after the other. */
export const wholeTour = 'whole'
export type AnyTourName = TourName | typeof wholeTour

const Percent = z.int().min(1).max(100)
const Seconds = z.int().min(5).max(600)

const Switch = z.object({
  id: z.string(),
  kind: z.string(),
  target: z.string().nullable(),
  percent: z.int().nullable(),
  /** It is switched off then, whether or not anybody looks. */
  ends_at: z.iso.datetime(),
})
export type LabSwitch = z.infer<typeof Switch>

export const LabState = z.object({
  at: z.iso.datetime(),
  /** What can be broken here, with its targets; what needs the launcher is missing where there is none. */
  offered: z.array(
    z.object({ kind: z.string(), targets: z.array(z.string()), percent: z.boolean() }),
  ),
  tours: z.array(z.string()),
  switches: z.array(Switch),
  /** Whether a switch is being turned at this moment, which takes some seconds. */
  busy: z.boolean(),
  buyers: z.object({ per_second: z.number(), ends_at: z.iso.datetime() }).nullable(),
  /** Of the buyers of this lab. */
  purchases: z.object({
    accepted: z.int(),
    refused: z.int(),
    unanswered: z.int(),
    by_status: z.record(z.string(), z.int()),
  }),
  /** More than can be checked every second. Nothing is checked then. */
  too_many_purchases: z.boolean(),
  /** The last check, and since when it has been repeated every second. Null before the first. */
  invariants: z
    .object({
      at: z.iso.datetime(),
      checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
    })
    .nullable(),
  looks: z.int(),
  /** Everything that ever did not hold, at most 50. */
  violations: z.array(z.string()),
  /** From the end of the last fault until every purchase that was accepted before has ended; null before a fault. */
  recovery: z
    .object({ healed_at: z.iso.datetime(), open: z.int(), recovered_ms: z.int().nullable() })
    .nullable(),
  tour: z
    .object({
      name: z.string(),
      /** What has been done and seen, oldest first. */
      lines: z.array(z.string()),
      done: z.boolean(),
      ok: z.boolean().nullable(),
    })
    .nullable(),
})
export type LabState = z.infer<typeof LabState>

const answer = { auth: 'operator', status: 200, response: LabState } as const

export const labRoutes = {
  getLab: {
    ...answer,
    method: 'get',
    path: '/lab',
    summary: 'What is broken, bought and checked now',
  },
  watchLab: {
    ...answer,
    method: 'get',
    path: '/lab/events',
    summary: 'Server-sent events: a `lab` each second',
    stream: true,
  },
  breakSomething: {
    ...answer,
    method: 'post',
    path: '/lab/switches',
    summary: 'Break something for a stated time',
    body: z
      .strictObject({
        kind: z.enum(switchNames),
        target: z
          .string()
          .regex(/^[a-z][a-z0-9-]{0,40}$/, 'must be the name of a process')
          .optional(),
        percent: Percent.optional(),
        seconds: Seconds,
      })
      .meta({ examples: [{ kind: 'kill-service', target: 'payment', seconds: 10 }] }),
    errors: ['conflict', 'forbidden', 'unprocessable'],
  },
  healAll: {
    ...answer,
    method: 'post',
    path: '/lab/heal',
    summary: 'Switch everything off and wait until the shop is whole',
    errors: ['conflict', 'forbidden'],
  },
  startBuyers: {
    ...answer,
    method: 'post',
    path: '/lab/buyers',
    summary: 'Start a stream of buyers',
    body: z
      .strictObject({
        per_second: z.number().min(0.2).max(20),
        seconds: Seconds,
      })
      .meta({ examples: [{ per_second: 2, seconds: 60 }] }),
    errors: ['conflict', 'forbidden'],
  },
  stopBuyers: {
    ...answer,
    method: 'post',
    path: '/lab/buyers/stop',
    summary: 'Stop the stream of buyers',
    errors: ['forbidden'],
  },
  startTour: {
    ...answer,
    method: 'post',
    path: '/lab/tour',
    summary: 'Start one of the tours, or all of them one after the other',
    body: z
      .strictObject({ name: z.enum([...tourNames, wholeTour]), short: z.boolean().default(false) })
      .meta({ examples: [{ name: 'kill-payment' }] }),
    errors: ['conflict', 'forbidden', 'unprocessable'],
  },
} as const satisfies Routes

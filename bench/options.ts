import { parseArgs } from 'node:util'
import { PaymentMethod } from '../shared/contracts/payment.ts'

/** The phases of a run, in this order. */
const phases = ['latency', 'burst', 'open', 'search', 'reads', 'ceiling', 'long'] as const
export type Phase = (typeof phases)[number]

/** What `--only` takes besides: studies, each on stacks of its own. */
const studies = ['pools', 'scaling', 'fairness', 'volume', 'tracing'] as const
export type Study = (typeof studies)[number]

export type Settings = ReturnType<typeof readSettings>

const positive = ['purchases', 'in-flight', 'products', 'rate', 'seconds', 'runs', 'rows'] as const
const defaults = {
  purchases: '1000',
  'in-flight': '128',
  products: '20',
  /** Of the open loop: purchases a minute, and for how long. */
  rate: '1000',
  seconds: '180',
  runs: '1',
  /** Of the filled shop: products, and as many purchases. */
  rows: '1000000',
} satisfies Record<(typeof positive)[number], string>

/** The sizes of the other phases; smaller with fewer purchases, so that a small run is quick. */
function sizesFor(purchases: number) {
  const small = purchases < 500
  return {
    warmUp: Math.min(100, purchases),
    latencies: Math.min(50, purchases),
    trialSeconds: small ? 3 : 20,
    readSeconds: small ? 2 : 10,
    readsInFlight: 64,
    ceilingSagas: Math.min(500, purchases),
    longPurchases: purchases * 10,
  }
}

/** Reads the command line. Throws with the option that is wrong. */
export function readSettings(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      ...Object.fromEntries(
        positive.map((name) => [name, { type: 'string', default: defaults[name] }] as const),
      ),
      // Taken in turn: sim_ok,sim_ok,sim_declined declines every third payment.
      methods: { type: 'string', default: 'sim_ok' },
      only: { type: 'string' },
      long: { type: 'boolean', default: false },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  })
  const count = (name: (typeof positive)[number]) => {
    const value = Number((values as Record<string, unknown>)[name])
    if (Number.isInteger(value) && value > 0) return value
    throw new Error(`--${name} must be a positive number`)
  }
  const named = values.only?.split(',') ?? phases.filter((phase) => phase !== 'long')
  const known: readonly string[] = [...phases, ...studies]
  const unknown = named.filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new Error(`--only knows ${known.join(', ')}; not ${unknown}`)
  const purchases = count('purchases')
  return {
    purchases,
    inFlight: count('in-flight'),
    products: count('products'),
    methods: PaymentMethod.array().parse(values.methods.split(',')),
    perMinute: count('rate'),
    openSeconds: count('seconds'),
    runs: count('runs'),
    rows: count('rows'),
    phases: phases.filter((phase) => named.includes(phase)),
    studies: studies.filter((study) => named.includes(study)),
    /** The long burst is part of the last run only. */
    long: values.long || named.includes('long'),
    json: values.json,
    write: values.write,
    ...sizesFor(purchases),
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { z } from 'zod'
import { eventHeader } from '../contracts/envelope.ts'
import { type Topic, topics } from '../contracts/topics.ts'
import { AppError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Bus, ConsumeOptions, Outgoing } from './bus.ts'

/** Where a process can be made to stop, fail or wait. */
const points = [
  /** A message was read, nothing is done yet. */
  'before-handle',
  /** The message is handled and answered, its offset is not committed. */
  'after-handle',
  /** The content of the message is stored, the message is not sent. For a reply: after the commit. */
  'before-publish',
  /** Kafka has the message, the sender has not continued. For a command: before the activity is left open. */
  'after-publish',
  /** The provider has the money, which is not recorded yet. */
  'after-capture',
  /** The provider has refunded the money or voided the key, which is not recorded yet. */
  'after-give-back',
] as const

const selection = {
  topics: z.array(z.enum(topics)).optional(),
  /** Of commands, replies or events. */
  names: z.array(z.string()).optional(),
  probability: z.number().min(0).max(1).default(1),
  /** Only the n-th time; the probability is then ignored. */
  nth: z.int().positive().optional(),
  /** At most this many times. */
  limit: z.int().positive().optional(),
  ms: z.int().nonnegative().default(0),
}

/** At a point of the process. */
const PointFault = z.strictObject({
  at: z.enum(points),
  action: z.enum(['kill', 'throw', 'delay']),
  ...selection,
})

/** To a message that is published. */
const MessageFault = z.strictObject({
  message: z.enum(['duplicate', 'drop', 'delay', 'reorder', 'poison']),
  ...selection,
})

export const Fault = z.union([PointFault, MessageFault])
export type Fault = z.input<typeof Fault>

export type FaultConfig = { FAULTS: z.output<typeof Fault>[]; FAULT_SEED: number }
type Point = (typeof points)[number]
type Subject = { topic?: Topic; name?: string | undefined; key?: string }

/**
 * The faults that one process is configured to make, each in its own turn of a seeded generator. Only for drills:
 * `loadConfig` refuses them in production.
 */
function createFaults({ FAULTS, FAULT_SEED }: FaultConfig, logger: Logger) {
  const random = xoroshiro128plus(FAULT_SEED)
  const armed = FAULTS.map((fault) => ({ ...fault, seen: 0, made: 0 }))
  type Armed = (typeof armed)[number]

  function strikes(fault: Armed, { topic, name, key }: Subject): boolean {
    if (fault.topics && (topic === undefined || !fault.topics.includes(topic))) return false
    if (fault.names && (name === undefined || !fault.names.includes(name))) return false
    if (fault.limit !== undefined && fault.made >= fault.limit) return false
    fault.seen += 1
    const chosen =
      fault.nth === undefined
        ? uniformFloat64(random) < fault.probability
        : fault.seen === fault.nth
    if (!chosen) return false
    fault.made += 1
    const what = 'at' in fault ? `${fault.action} ${fault.at}` : fault.message
    logger.warn({ fault: what, topic, name, key }, 'fault injected')
    return true
  }

  return {
    /** Passes a point, or does not. */
    async reach(at: Point, subject: Subject = {}): Promise<void> {
      for (const fault of armed) {
        if (!('at' in fault) || fault.at !== at || !strikes(fault, subject)) continue
        if (fault.action === 'kill') process.kill(process.pid, 'SIGKILL')
        if (fault.action === 'throw')
          throw new AppError('unavailable', `a fault was injected ${at}`)
        await sleep(fault.ms)
      }
    },
    /** Applies at most one fault to a message. */
    selectFault: (subject: Subject) =>
      armed.find((fault) => 'message' in fault && strikes(fault, subject)) as
        | (Armed & z.output<typeof MessageFault>)
        | undefined,
  }
}

/** The bus with the configured faults around everything that is read and written. */
export function injectFaults<C extends Bus>(client: C, config: FaultConfig, logger: Logger): C {
  const { reach, selectFault } = createFaults(config, logger)
  const held: { topic: Topic; name: string | undefined; message: Outgoing; send: () => void }[] = []

  /** Publishes later; a failure loses the message. */
  function publishSoon(topic: Topic, message: Outgoing, ms: number): void {
    setTimeout(() => void client.publish(topic, message).catch(() => undefined), ms).unref()
  }

  /** Until another command of the same purchase has passed on the topic. */
  function hold(topic: Topic, name: string | undefined, message: Outgoing, ms: number): void {
    const timer = setTimeout(() => release(), ms).unref()
    const entry = { topic, name, message, send: () => release() }
    function release() {
      clearTimeout(timer)
      held.splice(held.indexOf(entry), 1)
      publishSoon(topic, message, 0)
    }
    held.push(entry)
  }

  async function transmit(topic: Topic, message: Outgoing, deadlineMs?: number): Promise<void> {
    const subject = subjectOf(topic, message.headers, message.key)
    const { name, key } = subject
    const fault = selectFault(subject)
    switch (fault?.message) {
      case 'drop':
        return
      case 'delay':
        return publishSoon(topic, message, fault.ms)
      case 'reorder':
        return hold(topic, name, message, fault.ms)
      case 'poison':
        return client.publish(topic, { ...message, value: 'poison' }, deadlineMs)
      case 'duplicate':
        publishSoon(topic, message, fault.ms)
    }
    await client.publish(topic, message, deadlineMs)
    const overtaken = held.filter(
      (other) => other.topic === topic && other.message.key === key && other.name !== name,
    )
    for (const { send } of overtaken) send()
  }

  return {
    ...client,
    async publish(topic, message, deadlineMs) {
      const subject = subjectOf(topic, message.headers, message.key)
      await reach('before-publish', subject)
      await transmit(topic, message, deadlineMs)
      await reach('after-publish', subject)
    },
    consume: (options: ConsumeOptions) =>
      client.consume({
        ...options,
        async handle(message) {
          const subject = subjectOf(message.topic, message.headers, message.key)
          await reach('before-handle', subject)
          await options.handle(message)
          await reach('after-handle', subject)
        },
      }),
  }
}

type Provider = Record<
  'capture' | 'void' | 'refund' | 'refundPart',
  (...args: never[]) => Promise<unknown>
>

/** A payment provider with the points after its calls. */
export function injectProviderFaults<P extends Provider>(
  provider: P,
  config: FaultConfig,
  logger: Logger,
): P {
  const { reach } = createFaults(config, logger)
  const before =
    <A extends never[], R>(call: (...args: A) => Promise<R>, point: Point) =>
    async (...args: A): Promise<R> => {
      const answer = await call(...args)
      await reach(point)
      return answer
    }
  return {
    ...provider,
    capture: before(provider.capture, 'after-capture'),
    void: before(provider.void, 'after-give-back'),
    refund: before(provider.refund, 'after-give-back'),
    refundPart: before(provider.refundPart, 'after-give-back'),
  }
}

function subjectOf(topic: Topic, headers: Record<string, string> | undefined, key: string) {
  return { topic, name: headers?.command ?? headers?.[eventHeader], key }
}

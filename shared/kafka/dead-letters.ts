import {
  deadLetterHeaders,
  deadLetterPrefix,
  type Resolution,
  replayHeader,
  resolutionHeaders,
} from '../contracts/dead-letters.ts'
import type { Topic } from '../contracts/topics.ts'
import { connectAdmin } from './admin.ts'
import {
  connectRawProducer,
  headerText,
  type RawMessage,
  type StoredRawMessage,
} from './raw-messages.ts'
import { readStretches, wholeTopic } from './read-topic.ts'

export type DeadLetterState = 'open' | Resolution

/** A message that a consumer could not handle. */
export type DeadLetter = {
  /** Where the dead letter lies: `dead-letters/<partition>/<offset>`. */
  id: string
  state: DeadLetterState
  /** Of whom replayed or discarded it. */
  note: string | null
  /** Who that was, when the console knew it. */
  operator: string | null
  error: string
  /** The consumer group that could not handle it. */
  group: string
  topic: string
  partition: number
  offset: string
  /** When it became a dead letter, ISO 8601. */
  time: string
  purchaseId: string | null
  message: RawMessage
}

export type DeadLetterFilter = {
  state?: DeadLetterState | 'all'
  topic?: string
  purchaseId?: string
  /** Only dead letters that are at least this old. */
  minAgeMs?: number
  /** Those that became one at this time or later, and before that. */
  from?: Date
  to?: Date
  /** Only dead letters after this one, whatever became of it: the last id of the page before. */
  after?: string
}

/** A request of the operator that cannot be met. */
export class DeadLetterError extends Error {
  override name = 'DeadLetterError'
  readonly kind: 'invalid' | 'not_found' | 'conflict'

  constructor(kind: DeadLetterError['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

const topic: Topic = 'dead-letters'
const defaultReadDeadlineMs = 60_000
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export type DeadLetterStore = Awaited<ReturnType<typeof connectDeadLetters>>

/**
 * The dead letters and what became of them. The topic is its own record: what is done with a dead letter is written
 * after it, into its partition, so that a reader of one has read the other.
 */
export async function connectDeadLetters(
  brokers: string[],
  prefix = '',
  { readDeadlineMs = defaultReadDeadlineMs }: { readDeadlineMs?: number } = {},
) {
  await using starting = new AsyncDisposableStack()
  const admin = starting.adopt(await connectAdmin(brokers), (it) => it.close())
  const producer = starting.adopt(await connectRawProducer(brokers), (it) => it.close())

  /**
   * All, oldest first. What a crash made a consumer write twice is one dead letter: the older copy. Without `values`,
   * the messages are empty: the topic keeps everything for ever.
   */
  async function readDeadLetters({ values = true } = {}): Promise<DeadLetter[]> {
    const copies: DeadLetter[] = []
    const done = new Map<string, Pick<DeadLetter, 'state' | 'note' | 'operator'>>()
    const stretches = await wholeTopic(admin, prefix + topic)
    const reading = { group: `${prefix}dead-letters`, stretches, deadlineMs: readDeadlineMs }
    await readStretches(brokers, reading, ({ partition }, message) => {
      const resolution = headerText(message, resolutionHeaders.resolution)
      if (resolution) {
        const state = resolution as Resolution
        const operator = headerText(message, resolutionHeaders.operator) || null
        const note = String(message.value)
        done.set(headerText(message, resolutionHeaders.id), { state, note, operator })
        return
      }
      const deadLetter = toDeadLetter(partition, message)
      copies.push(values ? deadLetter : { ...deadLetter, message: { key: null, value: null } })
    })
    // Without a key, copies lie in different partitions, and those are read in no order.
    copies.sort((a, b) => a.time.localeCompare(b.time) || a.id.localeCompare(b.id))
    const deadLetters = new Map<string, DeadLetter>()
    for (const deadLetter of copies) {
      const position = [
        deadLetter.group,
        deadLetter.topic,
        deadLetter.partition,
        deadLetter.offset,
      ].join('/')
      if (!deadLetters.has(position))
        deadLetters.set(position, { ...deadLetter, ...done.get(deadLetter.id) })
    }
    return [...deadLetters.values()]
  }

  async function find(id: string): Promise<DeadLetter> {
    const found = (await readDeadLetters()).find((deadLetter) => deadLetter.id === id)
    if (!found) throw new DeadLetterError('not_found', `there is no dead letter ${id}`)
    return found
  }

  async function resolve(
    deadLetter: DeadLetter,
    state: Resolution,
    note: string,
    operator: string | undefined,
  ): Promise<DeadLetter> {
    const headers = {
      [resolutionHeaders.resolution]: state,
      [resolutionHeaders.id]: deadLetter.id,
      ...(operator !== undefined && { [resolutionHeaders.operator]: operator }),
    }
    const partition = Number(deadLetter.id.split('/')[1])
    await producer.send(prefix + topic, { partition, key: deadLetter.id, value: note, headers })
    return { ...deadLetter, state, note, operator: operator ?? null }
  }

  const open = starting.move()
  return {
    find,

    /** How many nobody has replayed or discarded. */
    async countOpen(): Promise<number> {
      const deadLetters = await readDeadLetters({ values: false })
      return deadLetters.filter(({ state }) => state === 'open').length
    },

    /** Oldest first. */
    async list({ state = 'open', ...filter }: DeadLetterFilter = {}): Promise<DeadLetter[]> {
      const newest = new Date(Date.now() - (filter.minAgeMs ?? 0)).toISOString()
      const deadLetters = await readDeadLetters()
      const last = deadLetters.findIndex(({ id }) => id === filter.after)
      if (filter.after !== undefined && last < 0) {
        throw new DeadLetterError('invalid', `there is no dead letter ${filter.after}`)
      }
      return deadLetters.filter(
        (deadLetter, index) =>
          index > last &&
          (state === 'all' || deadLetter.state === state) &&
          (filter.topic === undefined || deadLetter.topic === filter.topic) &&
          (filter.purchaseId === undefined || deadLetter.purchaseId === filter.purchaseId) &&
          (filter.minAgeMs === undefined || deadLetter.time <= newest) &&
          (filter.from === undefined || deadLetter.time >= filter.from.toISOString()) &&
          (filter.to === undefined || deadLetter.time < filter.to.toISOString()),
      )
    },

    /**
     * Sends the message to its topic again, with its own key, value and headers and one more that names the dead
     * letter. Throws DeadLetterError for one that is not open, unless `again`. When it fails in between, the dead
     * letter stays open and the message may have been sent: consumers tolerate that.
     */
    async replay(
      id: string,
      {
        again = false,
        note = '',
        operator,
      }: { again?: boolean; note?: string; operator?: string } = {},
    ): Promise<DeadLetter> {
      const deadLetter = await find(id)
      if (deadLetter.state !== 'open' && !again) {
        throw new DeadLetterError(
          'conflict',
          `${id} was ${deadLetter.state} already; again (--again) replays it all the same`,
        )
      }
      const { key, value, headers = {} } = deadLetter.message
      if (headers[deadLetterHeaders.cut] !== undefined) {
        const { topic, partition, offset } = deadLetter
        throw new DeadLetterError(
          'conflict',
          `${id} has no value: it was too large, see ${topic}/${partition}/${offset}`,
        )
      }
      const own = Object.entries(headers).filter(([name]) => !name.startsWith(deadLetterPrefix))
      await producer.send(prefix + deadLetter.topic, {
        key,
        value,
        headers: { ...Object.fromEntries(own), [replayHeader]: id },
      })
      return resolve(deadLetter, 'replayed', note, operator)
    },

    /** Closes a dead letter without sending anything. Throws DeadLetterError for one that is not open. */
    async discard(id: string, note: string, operator?: string): Promise<DeadLetter> {
      if (note.trim() === '')
        throw new DeadLetterError('invalid', 'discarding a dead letter needs a note that says why')
      const deadLetter = await find(id)
      if (deadLetter.state !== 'open')
        throw new DeadLetterError('conflict', `${id} was ${deadLetter.state} already`)
      return resolve(deadLetter, 'discarded', note, operator)
    },

    close: () => open.disposeAsync(),
  }
}

function toDeadLetter(partition: number, message: StoredRawMessage): DeadLetter {
  const { key, value, headers } = message
  const ids = [headerText(message, 'purchase_id'), String(key ?? '')]
  return {
    id: `${topic}/${partition}/${message.offset}`,
    state: 'open',
    note: null,
    operator: null,
    error: headerText(message, deadLetterHeaders.error),
    group: headerText(message, deadLetterHeaders.group),
    topic: headerText(message, deadLetterHeaders.topic),
    partition: Number(headerText(message, deadLetterHeaders.partition)),
    offset: headerText(message, deadLetterHeaders.offset),
    // Dead letters from before this header existed use the time at which they were written.
    time:
      headerText(message, deadLetterHeaders.time) ||
      new Date(Number(message.timestamp)).toISOString(),
    purchaseId: ids.find((id) => uuid.test(id)) ?? null,
    message: { key, value, ...(headers && { headers }) },
  }
}

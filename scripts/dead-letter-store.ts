import { Kafka, type KafkaMessage, logLevel, Partitioners } from 'kafkajs'
import {
  deadLetterHeaders,
  deadLetterPrefix,
  type Resolution,
  replayHeader,
  resolutionHeaders,
} from '../shared/contracts/dead-letters.ts'
import type { Topic } from '../shared/contracts/topics.ts'
import { readStretches, wholeTopic } from './read-topic.ts'

export type LetterState = 'open' | Resolution

/** A message that a consumer gave up. */
export type Letter = {
  /** Where the letter lies: `dead-letters/<partition>/<offset>`. */
  id: string
  state: LetterState
  /** Of whom replayed or discarded it. */
  note: string | null
  error: string
  /** The consumer group that gave it up. */
  group: string
  topic: string
  partition: number
  offset: string
  /** When it was given up, ISO 8601. */
  time: string
  purchaseId: string | null
  message: Pick<KafkaMessage, 'key' | 'value' | 'headers'>
}

export type LetterFilter = {
  state?: LetterState | 'all'
  topic?: string
  purchaseId?: string
  /** Only letters that are at least this old. */
  minAgeMs?: number
  /** Only letters behind this one, whatever became of it: the last id of the page before. */
  after?: string
}

/** Something that the operator asked for and that cannot be. */
export class LetterError extends Error {
  override name = 'LetterError'
}

const topic: Topic = 'dead-letters'
const readDeadlineMs = 60_000
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export type DeadLetterStore = Awaited<ReturnType<typeof connectDeadLetters>>

/**
 * The letters on `dead-letters` and what became of them. The topic is its own record: what is done with a letter is
 * written behind it, into its partition, so that whoever reads one has read the other.
 */
export async function connectDeadLetters(brokers: string[], prefix = '') {
  const kafka = new Kafka({ clientId: 'dead-letters', brokers, logLevel: logLevel.NOTHING })
  await using starting = new AsyncDisposableStack()
  const admin = kafka.admin()
  await admin.connect()
  starting.defer(() => admin.disconnect())
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  })
  await producer.connect()
  starting.defer(() => producer.disconnect())

  /** Every letter, oldest first. What a crash made a consumer write twice is one letter, and its older copy. */
  async function readLetters(): Promise<Letter[]> {
    const copies: Letter[] = []
    const done = new Map<string, { state: Resolution; note: string }>()
    const stretches = await wholeTopic(admin, prefix + topic)
    const reading = { group: `${prefix}dead-letters`, stretches, deadlineMs: readDeadlineMs }
    await readStretches({ kafka, admin }, reading, ({ partition }, message) => {
      const resolution = header(message, resolutionHeaders.resolution)
      if (resolution) {
        const state = resolution as Resolution
        done.set(header(message, resolutionHeaders.id), { state, note: String(message.value) })
        return
      }
      copies.push(toLetter(partition, message))
    })
    // Without a key, copies lie in different partitions, and those are read in no order.
    copies.sort((a, b) => a.time.localeCompare(b.time) || a.id.localeCompare(b.id))
    const letters = new Map<string, Letter>()
    for (const letter of copies) {
      const position = [letter.group, letter.topic, letter.partition, letter.offset].join('/')
      if (!letters.has(position)) letters.set(position, { ...letter, ...done.get(letter.id) })
    }
    return [...letters.values()]
  }

  async function find(id: string): Promise<Letter> {
    const found = (await readLetters()).find((letter) => letter.id === id)
    if (!found) throw new LetterError(`there is no letter ${id}`)
    return found
  }

  async function resolve(letter: Letter, state: Resolution, note: string): Promise<Letter> {
    const headers = { [resolutionHeaders.resolution]: state, [resolutionHeaders.id]: letter.id }
    const partition = Number(letter.id.split('/')[1])
    await producer.send({
      topic: prefix + topic,
      acks: -1,
      messages: [{ partition, key: letter.id, value: note, headers }],
    })
    return { ...letter, state, note }
  }

  const open = starting.move()
  return {
    find,

    /** Oldest first. */
    async list({ state = 'open', ...filter }: LetterFilter = {}): Promise<Letter[]> {
      const newest = new Date(Date.now() - (filter.minAgeMs ?? 0)).toISOString()
      const letters = await readLetters()
      const last = letters.findIndex(({ id }) => id === filter.after)
      if (filter.after !== undefined && last < 0) {
        throw new LetterError(`there is no letter ${filter.after}`)
      }
      return letters.filter(
        (letter, index) =>
          index > last &&
          (state === 'all' || letter.state === state) &&
          (filter.topic === undefined || letter.topic === filter.topic) &&
          (filter.purchaseId === undefined || letter.purchaseId === filter.purchaseId) &&
          (filter.minAgeMs === undefined || letter.time <= newest),
      )
    },

    /**
     * Sends the message to its topic again, with its own key, value and headers and one more that names the letter.
     * Throws LetterError for a letter that is not open, unless `again`. When it fails in between, the letter stays
     * open and the message may have been sent: consumers bear that.
     */
    async replay(id: string, { again = false, note = '' } = {}): Promise<Letter> {
      const letter = await find(id)
      if (letter.state !== 'open' && !again) {
        throw new LetterError(`${id} was ${letter.state} already; --again replays it all the same`)
      }
      const { key, value, headers = {} } = letter.message
      const own = Object.entries(headers).filter(([name]) => !name.startsWith(deadLetterPrefix))
      await producer.send({
        topic: prefix + letter.topic,
        acks: -1,
        messages: [{ key, value, headers: { ...Object.fromEntries(own), [replayHeader]: id } }],
      })
      return resolve(letter, 'replayed', note)
    },

    /** Closes a letter without sending anything. Throws LetterError for one that is not open. */
    async discard(id: string, note: string): Promise<Letter> {
      if (note.trim() === '')
        throw new LetterError('discarding a letter needs a note that says why')
      const letter = await find(id)
      if (letter.state !== 'open') throw new LetterError(`${id} was ${letter.state} already`)
      return resolve(letter, 'discarded', note)
    },

    close: () => open.disposeAsync(),
  }
}

function header({ headers }: Pick<KafkaMessage, 'headers'>, name: string): string {
  const value = headers?.[name]
  return String((Array.isArray(value) ? value.at(-1) : value) ?? '')
}

function toLetter(partition: number, message: KafkaMessage): Letter {
  const { key, value, headers } = message
  const ids = [header(message, 'purchase_id'), String(key ?? '')]
  return {
    id: `${topic}/${partition}/${message.offset}`,
    state: 'open',
    note: null,
    error: header(message, deadLetterHeaders.error),
    group: header(message, deadLetterHeaders.group),
    topic: header(message, deadLetterHeaders.topic),
    partition: Number(header(message, deadLetterHeaders.partition)),
    offset: header(message, deadLetterHeaders.offset),
    // Letters from before the header was there tell by when they were written.
    time:
      header(message, deadLetterHeaders.time) || new Date(Number(message.timestamp)).toISOString(),
    purchaseId: ids.find((id) => uuid.test(id)) ?? null,
    message: { key, value, ...(headers && { headers }) },
  }
}

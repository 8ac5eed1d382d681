import type { Topic } from '../contracts/topics.ts'

/** A message as it is read; `topic` is without the prefix. */
export type Message = {
  topic: Topic
  partition: number
  offset: string
  key: string
  headers: Record<string, string>
  value: string
  /** When it was produced, epoch ms. */
  timestamp: number
}

/** A message as it is sent. Messages of one key are read in the order in which they were sent. */
export type Outgoing = { key: string; value: string; headers?: Record<string, string> }

/**
 * Resolves when every in-sync replica of the broker has the message. Rejects with AppError('unavailable') past
 * `deadlineMs`; the message may then still have arrived, which every consumer has to tolerate.
 */
export type Publish = (topic: Topic, message: Outgoing, deadlineMs?: number) => Promise<void>

export type ConsumeOptions = {
  /** The consumer group; replicas of one service share it. */
  group: string
  topics: Topic[]
  /** Resolves when the message is finished. What it throws decides what happens next: see `poison.ts`. */
  handle: (message: Message) => Promise<void>
  /** Called before a message is dead-lettered, e.g. to answer it. */
  onPoison?: ((message: Message, error: Error) => Promise<void>) | undefined
  /** The least time between two reads under load, ms. A message that comes alone is read at once. */
  paceMs?: number | undefined
}

/**
 * The pace of a consumer whose work no step of a saga and no answer waits for: it handles more messages with one read and
 * one statement.
 */
export const backgroundPaceMs = 100

/** A member of a consumer group. */
export type Consumer = {
  /** Whether this member has its place in the group. */
  joined(): boolean
  /** Whether messages of this key come to this member, as far as it knows. */
  reads(topic: Topic, key: string): boolean
  /** Waits for messages in flight and commits them; those that do not end in time stay uncommitted. */
  close(): Promise<void>
}

/** What the services need of a message broker. `shared/kafka/` is the one implementation. */
export type Bus = {
  publish: Publish
  consume(options: ConsumeOptions): Promise<Consumer>
}

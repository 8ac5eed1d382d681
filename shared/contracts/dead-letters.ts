import { text } from './text.ts'

/** The prefix of every header of `dead-letters` that is not a header of the message. */
export const deadLetterPrefix = 'dead_letter_'

/**
 * On a dead letter: the error, the position of the message, the consumer group, and the time (ISO 8601). `cut`: the
 * size of a message that was too large for a dead letter and is still at its position.
 */
export const deadLetterHeaders = {
  error: 'dead_letter_error',
  group: 'dead_letter_group',
  topic: 'dead_letter_topic',
  partition: 'dead_letter_partition',
  offset: 'dead_letter_offset',
  time: 'dead_letter_time',
  cut: 'dead_letter_cut',
} as const

/** On a message that was replayed: the id of its dead letter. */
export const replayHeader = 'dead_letter_replay'

/**
 * On a record after a dead letter, in its partition: what was done with it. Its `value` is the operator's note.
 */
export const resolutionHeaders = {
  resolution: 'dead_letter_resolution',
  id: 'dead_letter_id',
  /** The operator's name, when the console knew it. */
  operator: 'dead_letter_operator',
} as const

export const resolutions = ['replayed', 'discarded'] as const
export type Resolution = (typeof resolutions)[number]

/** An operator's note on what was done with a dead letter. */
export const ResolutionNote = text(1_000, { min: 3, lines: 'many' })

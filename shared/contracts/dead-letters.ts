/** What every header of `dead-letters` begins with that is not one of the message's own. */
export const deadLetterPrefix = 'dead_letter_'

/** On a letter: what was wrong, where the message lay, who gave it up, and when (ISO 8601). */
export const deadLetterHeaders = {
  error: 'dead_letter_error',
  group: 'dead_letter_group',
  topic: 'dead_letter_topic',
  partition: 'dead_letter_partition',
  offset: 'dead_letter_offset',
  time: 'dead_letter_time',
} as const

/** On a message that was replayed: the id of its letter. */
export const replayHeader = 'dead_letter_replay'

/**
 * On a record behind a letter, in its partition: what was done with it. Its `value` is the operator's note.
 */
export const resolutionHeaders = {
  resolution: 'dead_letter_resolution',
  id: 'dead_letter_id',
} as const

export const resolutions = ['replayed', 'discarded'] as const
export type Resolution = (typeof resolutions)[number]

/** A message that can never be handled: it goes to dead-letters at once. */
export class PoisonError extends Error {
  override name = 'PoisonError'
}

/**
 * The outside party that a command needs does not answer for this one command. The message is dropped without a
 * reply, so that it holds up no later message; the saga's own retry sends the command again.
 */
export class NoReplyError extends Error {
  override name = 'NoReplyError'
}

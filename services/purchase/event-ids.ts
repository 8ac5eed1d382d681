import { endSequence } from '../../shared/contracts/purchase.ts'
import { commandSteps } from '../../shared/contracts/steps.ts'

/*
 * The id of an event names all events that the client has with it, by their sequences, in the order in which they came,
 * after a 0 for the accepted purchase: `0-10-20-40`. The last sequence alone would not do: a step without an answer is
 * known only after the undos, and a client that comes again must get it then, and nothing twice.
 */

const sequences = Object.values(commandSteps).map(({ sequence }) => sequence)

export function eventId(had: ReadonlySet<number>): string {
  return had.has(endSequence) ? String(endSequence) : [0, ...had].join('-')
}

/**
 * What a client has. A single number is an event with all that come before it, as ids were until 0.2.0. Which of them
 * are known now does not matter: what a replica knows may be older than what another one has sent.
 */
export function eventsHad(lastEventId: string | undefined): Set<number> {
  if (lastEventId === undefined) return new Set()
  const [first = 0, ...others] = lastEventId.split('-').map(Number)
  if (others.length > 0) return new Set(others)
  return new Set([...sequences.filter((sequence) => sequence < first), first])
}

/** Whether nothing is left to send: the end comes last. */
export function hasEndEvent(lastEventId: string | undefined): boolean {
  return Number(lastEventId) >= endSequence
}

import { endSequence } from '../../shared/contracts/purchase.ts'

/*
 * The id of an event names all events that the client has with it, by their sequences, in the order in which they came:
 * `10-20-40`. The last sequence alone would not do: a step without an answer is known only after the undos, and a
 * client that comes again must get it then, and nothing twice.
 */

export function eventId(had: ReadonlySet<number>): string {
  return had.has(endSequence) ? String(endSequence) : [...had].join('-')
}

/** What a client has. A single number is an event with all that is known from before it, as ids were until 0.2.0. */
export function eventsHad(lastEventId: string | undefined, known: readonly number[]): Set<number> {
  if (lastEventId === undefined) return new Set()
  const listed = lastEventId.split('-').map(Number)
  const [last = 0] = listed
  const before = listed.length === 1 ? known.filter((sequence) => sequence < last) : []
  return new Set([...before, ...listed])
}

/** Whether nothing is left to send: the end comes last. */
export function hasEndEvent(lastEventId: string | undefined): boolean {
  return Number(lastEventId) >= endSequence
}

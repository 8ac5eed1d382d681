import { firstIdAt } from '../contracts/ids.ts'
import type { ListQuery } from '../contracts/list.ts'

type Range = Partial<Pick<ListQuery, 'cursor' | 'created_from' | 'created_to'>>

/**
 * How long before a row its id may have been made: an order and a payment have the id of their purchase, which may have
 * waited for its turn. And how long after it, by clocks that differ.
 */
const idBeforeMs = 31 * 24 * 60 * 60_000
const idAfterMs = 60 * 60_000

/**
 * The condition of a page of a list that is ordered by id: before the cursor, and created in a time. Ids are
 * time-ordered (`newId`), so the time also bounds the ids, and the index that orders the list finds the rows: no list
 * needs an index of its times. `created_at` decides; the bounds of the ids are wider.
 */
export function inRange({ cursor, created_from, created_to }: Range) {
  const from = created_from === undefined ? undefined : new Date(created_from)
  const to = created_to === undefined ? undefined : new Date(created_to)
  const before = [cursor, to && firstIdAt(to.getTime() + idAfterMs)].filter(
    (id) => id !== undefined,
  )
  return {
    id: {
      ...(before.length > 0 && { lt: before.sort()[0] }),
      ...(from && { gte: firstIdAt(from.getTime() - idBeforeMs) }),
    },
    createdAt: { ...(from && { gte: from }), ...(to && { lt: to }) },
  }
}

/** The condition that a row has this status, if there is one. */
export function ofStatus<T extends string>(status: T | undefined) {
  return status === undefined ? {} : { status }
}

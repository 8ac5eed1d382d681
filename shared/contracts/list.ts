import { z } from 'zod'

/** To the millisecond, as `created_at` of answers. A UTC offset may be named. */
const Time = z.iso.datetime({ offset: true })

/** The time of what a list shows. */
export const TimeRange = {
  created_from: Time.optional().meta({ description: 'Created at this time or later' }),
  created_to: Time.optional().meta({ description: 'Created before this time' }),
}

/** The query of every list. A cursor is opaque to the client: what `next_cursor` gave. */
export const ListQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.uuid('must be a cursor that a list returned').toLowerCase().optional(),
  ...TimeRange,
})
export type ListQuery = z.infer<typeof ListQuery>

/** A page of a list; `next_cursor` is null on the last one. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() })
}

/**
 * Cuts a page from rows that were read with `limit + 1`. Lists are ordered by id, which is time-ordered, so the
 * cursor is the last id of the page.
 */
export function page<T extends { id: string }>(rows: T[], limit: number) {
  const items = rows.slice(0, limit)
  return { items, next_cursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
}

/** Ids are compared as the database writes them: a client may write them in upper case. */
export const IdParams = z.strictObject({ id: z.uuid().toLowerCase() })

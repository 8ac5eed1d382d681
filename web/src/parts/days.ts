/** The moment at which a day begins in this place, or one of the next days; undefined for what is no day. */
function startOfDay(day: string | undefined, daysLater = 0): string | undefined {
  const start = new Date(`${day}T00:00`)
  start.setDate(start.getDate() + daysLater)
  return Number.isNaN(start.getTime()) ? undefined : start.toISOString()
}

/** What of a query narrows a list to days, the last one included. */
export function timeOf({ from, to }: { from?: string; to?: string }): {
  created_from?: string
  created_to?: string
} {
  const created_from = startOfDay(from)
  const created_to = startOfDay(to, 1)
  return { ...(created_from && { created_from }), ...(created_to && { created_to }) }
}

/** The first day of every input: while a year is typed, it is 0002, then 0020. */
export const firstDay = '2000-01-01'

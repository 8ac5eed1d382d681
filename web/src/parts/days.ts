/** The moment at which a day begins in this place, or one of the next days; undefined for what is no day. */
export function startOfDay(day: string | undefined, daysLater = 0): string | undefined {
  const start = new Date(`${day}T00:00`)
  start.setDate(start.getDate() + daysLater)
  return Number.isNaN(start.getTime()) ? undefined : start.toISOString()
}

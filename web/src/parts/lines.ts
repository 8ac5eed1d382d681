import type { Schemas } from '../api/client.ts'

type Line = Schemas['PricedLine']

/** What was bought, in a line. */
export function summary(lines: Line[]): string {
  const [first, ...others] = lines
  if (!first) return ''
  const more = others.length > 0 ? ` and ${others.length} more` : ''
  return `${first.quantity} × ${first.name}${more}`
}

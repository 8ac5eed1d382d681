import type { Panel } from '../../board-list.ts'
import { type Answered, type Series, seriesOf } from './series.ts'

/** A Prometheus, and the points of time that are asked for, in seconds since 1970. */
export type Range = { url: string; from: number; to: number; stepSeconds: number }

/** What a query answers at each point of a range of time. */
async function queryRange(query: string, { url, from, to, stepSeconds }: Range) {
  const range = { query, start: `${from}`, end: `${to}`, step: `${stepSeconds}` }
  const response = await fetch(`${url}/api/v1/query_range?${new URLSearchParams(range)}`)
  if (!response.ok) throw new Error(`${query}: ${await response.text()}`)
  const { data } = (await response.json()) as { data: { result: Answered[] } }
  return data.result
}

/** The lines of a panel, by its own queries. */
export async function readPanel(
  { queries }: Pick<Panel, 'queries'>,
  range: Range,
): Promise<Series[]> {
  const { from, to, stepSeconds } = range
  const count = Math.floor((to - from) / stepSeconds) + 1
  const times = Array.from({ length: count }, (_, index) => from + index * stepSeconds)
  const answers = queries.map(async ([expr, legend]) =>
    seriesOf(await queryRange(expr, range), legend, times),
  )
  return (await Promise.all(answers)).flat()
}

import type { Unit } from '../../board-list.ts'
import { formatValue } from './scale.ts'
import { peakOf, type Series } from './series.ts'

/** Red is for limits, and grey for the lines that are not named. */
const colors = [
  ...['#2f6fb3', '#c98500', '#3c8a4b', '#7a4fa3'],
  ...['#00a0ad', '#8d5a3b', '#d1598f', '#4b4f58'],
]
export const unnamedColor = '#c3c9d1'
export const maxEntries = colors.length
const maxNameLength = 29

export type Line = { series: Series; color: string }
export type Entry = { color: string; name: string; value: string }

/** The middle of a name that is too long is left out: names differ at their ends. */
export function shorten(name: string, length = maxNameLength): string {
  if (name.length <= length) return name
  const head = Math.ceil((length - 1) / 2)
  return `${name.slice(0, head)}…${name.slice(name.length - (length - 1 - head))}`
}

/**
 * The lines of a panel in the order of drawing, and its legend: each with its largest value, the largest first. What
 * does not fit is one entry.
 */
export function legendOf(series: Series[], unit: Unit): { lines: Line[]; entries: Entry[] } {
  const sorted = series.toSorted((a, b) => peakOf(b) - peakOf(a) || a.name.localeCompare(b.name))
  const named = sorted.slice(0, sorted.length > maxEntries ? maxEntries - 1 : maxEntries)
  const unnamed = sorted.slice(named.length)
  const lines = named.map((one, index) => ({ series: one, color: colors[index] ?? unnamedColor }))
  const entries = lines.map(({ series: one, color }) => ({
    color,
    name: shorten(one.name),
    value: formatValue(peakOf(one), unit),
  }))
  const [next] = unnamed
  if (next) {
    const name = `${unnamed.length} more, each at most`
    entries.push({ color: unnamedColor, name, value: formatValue(peakOf(next), unit) })
  }
  return {
    lines: [...unnamed.map((one) => ({ series: one, color: unnamedColor })), ...lines.reverse()],
    entries,
  }
}

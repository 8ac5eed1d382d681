import { scaleLinear } from 'd3-scale'
import type { Unit } from '../../board-list.ts'

/** A limit further above the values would press their lines to the ground. */
const farAbove = 5
const tickCount = 4
const secondsOfMinute = 60
const rounded = new Intl.NumberFormat('en-GB', { maximumSignificantDigits: 3 })

/** Whether the line of a limit is in the picture: it is not far above all values. */
export function showsLimit(peak: number, limit: number): boolean {
  return peak <= 0 || limit <= farAbove * peak
}

/** The scale of a panel from zero to its largest value, or to its limit, with the ticks that it is read by. */
export function scaleOf(peak: number, limit: number | undefined, unit: Unit) {
  const shown = limit !== undefined && showsLimit(peak, limit) ? limit : 0
  const most = Math.max(peak, shown) || 1
  const step = unit === 's' && most > secondsOfMinute ? secondsOfMinute : 1
  const steps = scaleLinear([0, most / step], [0, 1]).nice(tickCount)
  const ticks = steps.ticks(tickCount)
  const whole = ticks.filter(Number.isInteger)
  // What is counted has no halves, unless the values themselves have.
  const read = unit === 'short' && whole.length > 1 ? whole : ticks
  return {
    scale: scaleLinear([0, (steps.domain()[1] ?? 1) * step], [0, 1]),
    ticks: read.map((tick) => tick * step),
  }
}

/** A value with its unit, as short as it can be read. */
export function formatValue(value: number, unit: Unit): string {
  if (unit === 'percentunit') return `${rounded.format(value * 100)} %`
  if (unit === 'ops') return value === 0 ? '0' : `${rounded.format(value)}/s`
  if (unit === 'short') return rounded.format(value)
  if (value === 0) return '0'
  if (value < 1) return `${rounded.format(value * 1_000)} ms`
  return value < secondsOfMinute
    ? `${rounded.format(value)} s`
    : `${rounded.format(value / secondsOfMinute)} min`
}

/** A point of time, as minutes and seconds. */
export function formatTime(seconds: number): string {
  return `${Math.floor(seconds / secondsOfMinute)}:${String(seconds % secondsOfMinute).padStart(2, '0')}`
}

import { z } from 'zod'
import { brokenCharacters, illFormed, isStorable, type Lines } from './characters.ts'

type TextRules = {
  /** In characters (code points), after trimming. */
  min?: number
  /** `many` also takes line feeds and tabs; every kind of line end becomes a line feed. */
  lines?: Lines
}

/**
 * Text that a person writes, between `min` and `max` characters (code points). Every contract applies this one rule,
 * so that what one service takes no other refuses: well-formed Unicode in form NFC, trimmed, without control
 * characters, with at least one visible character.
 */
export function text(max: number, { min = 1, lines = 'one' }: TextRules = {}) {
  return z
    .string()
    .normalize('NFC')
    .overwrite((value) => (lines === 'many' ? value.replace(/\r\n?/g, '\n') : value))
    .trim()
    .check(({ value, issues }) => {
      const message = brokenCharacters(value, lines) ?? brokenLength(value, min, max)
      if (message) issues.push({ code: 'custom', input: value, message })
    })
    .meta({ minLength: min, maxLength: max })
}

/**
 * A password, taken as it is but for the form of Unicode, which depends on the keyboard: `min` and `max` count the
 * characters of its form NFC. Normalize it before you compare it.
 */
export function password(min: number, max: number) {
  return z
    .string()
    .check(({ value, issues }) => {
      const message = value.isWellFormed()
        ? brokenLength(value.normalize('NFC'), min, max)
        : illFormed
      if (message) issues.push({ code: 'custom', input: value, message })
    })
    .meta({ minLength: min, maxLength: max })
}

/**
 * Text of a message between services: a program chose it, or it passed `text()` where it came in. What no database
 * stores makes the message unreadable, so that it is refused where it is read and not where it is written.
 */
export function storable(max: number) {
  return z.string().max(max).refine(isStorable, 'must be well-formed Unicode without NUL')
}

function brokenLength(value: string, min: number, max: number): string | undefined {
  // Two code units make one character at most, so a text this long need not be counted.
  const length = value.length > 2 * max ? Number.POSITIVE_INFINITY : [...value].length
  if (length > max) return `must have at most ${max} characters`
  return length < min ? `must have at least ${min} characters` : undefined
}

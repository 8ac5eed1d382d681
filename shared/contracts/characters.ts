/*
 * What characters a text may have. No imports here: workflow code uses it.
 */

/** Control characters, and the separators that break a line as they do. */
const control = /[\p{Cc}\p{Zl}\p{Zp}]/u
/** A character that is drawn: U+2800 and what Unicode calls ignorable are blank. */
const visible = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{P}\p{S}]/u

/** `many` also takes line feeds and tabs. */
export type Lines = 'one' | 'many'

export const illFormed = 'must be well-formed Unicode'

/** The first rule that a text breaks, or undefined: people can read it, and every store takes it. */
export function brokenCharacters(value: string, lines: Lines): string | undefined {
  if (!value.isWellFormed()) return illFormed
  if (control.test(lines === 'many' ? value.replace(/[\n\t]/g, '') : value)) {
    const but = lines === 'many' ? ' but line feeds and tabs' : ''
    return `must not contain control characters${but}`
  }
  return visible.test(value) ? undefined : 'must contain a visible character'
}

/** PostgreSQL refuses half a surrogate pair in JSONB, and NUL in any text. */
export function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0')
}

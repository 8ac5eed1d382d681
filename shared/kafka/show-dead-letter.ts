import type { DeadLetterDetails, DeadLetterSummary } from '../contracts/console.ts'
import type { DeadLetter } from './dead-letters.ts'

/** A page of what `list` found, and the cursor of the next one. */
export function pageOfDeadLetters(
  found: DeadLetter[],
  limit: number,
): { items: DeadLetterSummary[]; next_cursor: string | null } {
  const items = found.slice(0, limit).map(summarize)
  return { items, next_cursor: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}

/** Everything of a dead letter. Bytes that are not text are in base64, so that nothing is lost but what is cut. */
export function showDeadLetter(
  deadLetter: DeadLetter,
  { maxValueBytes = Number.POSITIVE_INFINITY }: { maxValueBytes?: number } = {},
): DeadLetterDetails {
  const { key, value, headers = {} } = deadLetter.message
  const shown = value?.subarray(0, Math.min(value.length, maxValueBytes)) ?? null
  const encoding = isText(value) ? 'utf8' : 'base64'
  return {
    ...summarize(deadLetter),
    key: key === null ? null : key.toString(isText(key) ? 'utf8' : 'base64'),
    value: shown === null ? null : shown.toString(encoding),
    value_encoding: encoding,
    value_bytes: value?.length ?? 0,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, header]) => [name, String(header)]),
    ),
  }
}

function summarize({ message: _, purchaseId, ...deadLetter }: DeadLetter): DeadLetterSummary {
  return { ...deadLetter, purchase_id: purchaseId }
}

function isText(bytes: Buffer | null): boolean {
  return !bytes || Buffer.from(bytes.toString()).equals(bytes)
}

const stored = 'purchase-key'

/**
 * The idempotency key of a purchase: the same as long as the same things are bought, also after a reload, so that a
 * second click or a lost answer does not buy twice.
 */
export function keyFor(body: unknown): string {
  const what = JSON.stringify(body)
  const [key, of] = JSON.parse(sessionStorage.getItem(stored) ?? '[]') as string[]
  if (key && of === what) return key
  const fresh = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
  sessionStorage.setItem(stored, JSON.stringify([fresh, what]))
  return fresh
}

/** The purchase is accepted: the next one, even of the same things, is another. */
export function keyUsed(): void {
  sessionStorage.removeItem(stored)
}

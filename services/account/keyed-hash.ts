import { createHmac, hkdfSync } from 'node:crypto'

export type KeyedHash = ReturnType<typeof createKeyedHash>

/**
 * Hashes what is too short to be hidden by a plain hash: a code of six digits, an address. An attacker with
 * the database alone cannot try them all. The key is derived from the signing key, which only account has, unless
 * that carries one: a signing key that takes the place of another does, so that open codes stay valid.
 */
export function createKeyedHash(signingKey: { pem: string; hash_key?: string | undefined }) {
  const key = Buffer.from(signingKey.hash_key ?? hashKeyOf(signingKey.pem), 'base64url')
  return (...parts: string[]): string =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64url')
}

/** What is derived from a signing key, in base64url. */
export function hashKeyOf(pem: string): string {
  const derived = hkdfSync('sha256', pem, '', 'account keyed hash', 32)
  return Buffer.from(derived).toString('base64url')
}

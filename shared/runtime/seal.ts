import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { env } from './config.ts'

const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
/** The prefix of sealed text; a later format gets another one. */
const marker = 'sealed.1.'

/** Keys of AES-256-GCM in base64url: the first seals, all of them open. More than one while a key is replaced. */
export const sealingKeys = env.list.pipe(
  z.array(
    z
      .string()
      .refine(
        (key) => Buffer.from(key, 'base64url').length === keyBytes,
        `must be ${keyBytes} bytes in base64url`,
      ),
  ),
)

/** No key opens it: it was sealed with another key or for another purpose, or it was changed. */
export class SealError extends Error {
  override name = 'SealError'
}

export type Seal = ReturnType<typeof createSeal>

/**
 * Seals a secret on its way through a store that others read, such as an outbox, a topic or a dead letter. `purpose`
 * binds it to its message: sealed text that is moved to another message does not open.
 */
export function createSeal(keys: string[]) {
  const secrets = keys.map((key) => Buffer.from(key, 'base64url'))

  function tryOpen(secret: Buffer, sealed: Buffer, purpose: string): string | undefined {
    const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    })
    decipher.setAAD(Buffer.from(purpose))
    decipher.setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes))
    try {
      const opened = decipher.update(sealed.subarray(ivBytes + tagBytes))
      return Buffer.concat([opened, decipher.final()]).toString()
    } catch {
      return undefined
    }
  }

  return {
    seal(text: string, purpose: string): string {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', secrets[0] ?? Buffer.alloc(0), iv, {
        authTagLength: tagBytes,
      })
      cipher.setAAD(Buffer.from(purpose))
      const body = Buffer.concat([cipher.update(text), cipher.final()])
      return marker + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')
    },

    /** The text that was sealed; text that was never sealed comes back as it is. Throws SealError. */
    open(text: string, purpose: string): string {
      if (!text.startsWith(marker)) return text
      const sealed = Buffer.from(text.slice(marker.length), 'base64url')
      if (sealed.length < ivBytes + tagBytes) throw new SealError('the sealed text is too short')
      for (const secret of secrets) {
        const opened = tryOpen(secret, sealed, purpose)
        if (opened !== undefined) return opened
      }
      throw new SealError('no key opens the sealed text')
    },
  }
}

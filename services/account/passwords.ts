import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'
import { dictionary } from '@zxcvbn-ts/language-common'
import { createWorkTurns } from './turns.ts'

/** The tens of thousands that are tried first (ASVS 6.2.4 asks for three thousand). */
const commonPasswords = new Set<unknown>(dictionary['passwords-common'])

/** Whether a password, in any spelling, is one of those that everybody has. */
export function isCommonPassword(password: string): boolean {
  return commonPasswords.has(password.toLowerCase())
}

/** argon2id, which is the library's default, with the least that OWASP advises. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Hashes run on libuv's four threads; one stays free for everything else that needs them. */
const defaultConcurrency = Math.min(availableParallelism(), 3)

export type Passwords = Awaited<ReturnType<typeof createPasswords>>

/** The result of a check of a password; `form` is the Unicode form in which the hash has it. */
export type Match = { equal: false } | { equal: true; form: 'composed' | 'as given' }

/**
 * Hashes and checks passwords, a bounded number at once and clients in turn, so that neither a burst of logins nor one
 * client takes the machine. A password is hashed in form NFC, so that it is the same on every keyboard.
 */
export async function createPasswords(limits: Partial<Parameters<typeof createWorkTurns>[0]> = {}) {
  const turns = createWorkTurns({ concurrency: defaultConcurrency, ...limits })
  const decoyHash = await hash(randomBytes(32), parameters)

  return {
    hash: (password: string, client: string): Promise<string> =>
      turns.take(client, () => hash(password.normalize('NFC'), parameters)),

    /**
     * Takes the same time when there is no hash to compare with, so that it does not tell who is registered. Hashes
     * from before passwords were normalized have what the keyboard sent: that is tried second.
     */
    matches: (password: string, storedHash: string | undefined, client: string): Promise<Match> =>
      turns.take(client, async () => {
        const compare = async (candidate: string) =>
          (await verify(storedHash ?? decoyHash, candidate)) && storedHash !== undefined
        const composed = password.normalize('NFC')
        if (await compare(composed)) return { equal: true, form: 'composed' }
        if (composed === password || !(await compare(password))) return { equal: false }
        return { equal: true, form: 'as given' }
      }),
  }
}

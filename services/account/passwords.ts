import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'
import { dictionary } from '@zxcvbn-ts/language-common'
import { AppError } from '../../shared/errors.ts'

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
/** A few seconds of work; who comes later is better told so than kept waiting. */
const defaultMaxWaiting = 128

export type Passwords = Awaited<ReturnType<typeof createPasswords>>

/** Hashes and checks passwords, a bounded number at once, so that a burst of logins does not take the machine. */
export async function createPasswords({
  concurrency = defaultConcurrency,
  maxWaiting = defaultMaxWaiting,
} = {}) {
  const nobodysHash = await hash(randomBytes(32), parameters)
  const waiting: (() => void)[] = []
  let running = 0

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running < concurrency) running++
    else if (waiting.length < maxWaiting) await new Promise<void>((go) => waiting.push(go))
    else throw new AppError('unavailable', 'too many people log in just now')
    try {
      return await work()
    } finally {
      // Who waits takes over the place, so that nobody who comes now overtakes them.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }

  return {
    hash: (password: string): Promise<string> => inTurn(() => hash(password, parameters)),

    /** Takes the same time when there is no hash to compare with, so that it does not tell who is registered. */
    matches: (password: string, storedHash: string | undefined): Promise<boolean> =>
      inTurn(async () => {
        const equal = await verify(storedHash ?? nobodysHash, password)
        return equal && storedHash !== undefined
      }),
  }
}

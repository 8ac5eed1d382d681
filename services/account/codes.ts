import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Seal } from '../../shared/runtime/seal.ts'
import type { KeyedHash } from './keyed-hash.ts'
import { type Addressee, type CodeKind, codeMail } from './mails.ts'

type Deps = {
  ttlSeconds: Record<CodeKind, number>
  hash: KeyedHash
  /** Only mail opens it: outbox, topics and dead letters hold no code that can be read. */
  seal: Pick<Seal, 'seal'>
}

/** Longer than a statement takes that writes, and one that finds nothing to write. */
const stepMs = 50

/** Codes that prove that the customer reads the e-mail of an address. */
export function createCodes({ ttlSeconds, hash, seal }: Deps) {
  const hashOf = (kind: CodeKind, email: string, code: string) => hash('code', kind, email, code)

  return {
    hashOf,

    /** What is stored of a new code, and the mail that carries it. */
    create(kind: CodeKind, addressee: Addressee, askedBy: string) {
      const code = String(randomInt(1_000_000)).padStart(6, '0')
      const seconds = ttlSeconds[kind]
      const stored = {
        kind,
        codeHash: hashOf(kind, addressee.email, code),
        expiresAt: new Date(Date.now() + seconds * 1_000),
        askedBy,
      }
      return { stored, mail: codeMail(kind, addressee, code, seconds, seal) }
    },
  }
}

export type Codes = ReturnType<typeof createCodes>

/** Settles as `work` does, at a multiple of 50 ms, so that the duration does not reveal what was found. */
export async function inSteps<T>(work: Promise<T>): Promise<T> {
  const since = performance.now()
  try {
    return await work
  } finally {
    await sleep(stepMs - ((performance.now() - since) % stepMs))
  }
}

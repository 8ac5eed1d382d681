import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, databases } from '../../prisma/databases.ts'

export type Secrets = {
  postgres: Record<Database | 'postgres', string>
  minio: { accessKey: string; secretKey: string }
  /** `hashKey`: with which codes are hashed, if that is not derived from this key. */
  jwt: { kid: string; privateKey: string; publicKey: string; hashKey?: string }
  /** The token of the operator API of the local stack. */
  operatorToken: string
  /** With which the sessions of operators' browsers are signed. */
  operatorSessionKey: string
  /** The key of the payment provider's API, and what it signs its events with. */
  provider: { key: string; webhookSecret: string }
  /** With which account seals codes for mail. */
  codeSealingKey: string
  /** What is accepted beside the current ones while one replaces another (docs/keys.md). */
  accepted?: Partial<RotatingKeys>
}

/** The keys that can be replaced without a stop. */
export type RotatingKeys = Pick<
  Secrets,
  'jwt' | 'operatorToken' | 'operatorSessionKey' | 'codeSealingKey'
> & { providerKey: string; webhookSecret: string }

export function generateSecrets(): Secrets {
  const roles = ['postgres', ...databases] as const
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const word = (bytes: number) => randomBytes(bytes).toString('base64url')
  return {
    postgres: Object.fromEntries(roles.map((role) => [role, word(24)])) as Secrets['postgres'],
    minio: { accessKey: randomBytes(10).toString('hex'), secretKey: word(30) },
    jwt: { kid: randomBytes(8).toString('hex'), privateKey, publicKey },
    operatorToken: word(32),
    operatorSessionKey: word(32),
    provider: {
      key: `sk_test_${randomBytes(24).toString('hex')}`,
      webhookSecret: `whsec_${randomBytes(24).toString('hex')}`,
    },
    codeSealingKey: word(32),
  }
}

/** The secrets of a data folder: created on first use, then read. */
export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const file = join(dataDir, 'secrets.json')
  const stored = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return '{}'
  })
  const known: Partial<Secrets> = JSON.parse(stored)
  const secrets = { ...generateSecrets(), ...known }
  if (!Object.keys(secrets).every((name) => name in known)) await saveSecrets(dataDir, secrets)
  return secrets
}

export async function saveSecrets(dataDir: string, secrets: Secrets): Promise<void> {
  const file = join(dataDir, 'secrets.json')
  await writeFile(`${file}.tmp`, JSON.stringify(secrets, null, 2), { mode: 0o600 })
  await rename(`${file}.tmp`, file)
}

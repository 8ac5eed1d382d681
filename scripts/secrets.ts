import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, databases } from '../prisma/databases.ts'

export type Secrets = {
  postgres: Record<Database | 'postgres', string>
  minio: { accessKey: string; secretKey: string }
  jwt: { kid: string; privateKey: string; publicKey: string }
  /** Opens the operator API of the local stack. */
  operatorToken: string
}

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
  }
}

/** The secrets of a data folder: made when they are first needed, read ever after. */
export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const file = join(dataDir, 'secrets.json')
  const stored = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return '{}'
  })
  const known: Partial<Secrets> = JSON.parse(stored)
  if (known.operatorToken) return known as Secrets
  const secrets = { ...generateSecrets(), ...known }
  await writeFile(`${file}.tmp`, JSON.stringify(secrets, null, 2), { mode: 0o600 })
  await rename(`${file}.tmp`, file)
  return secrets
}

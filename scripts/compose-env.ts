import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { databases } from '../prisma/databases.ts'
import { generateSecrets } from './stack/secrets.ts'

/*
 * `npm run compose-secrets`: writes the .env that docker-compose.yml needs, unless there is one. It uses nothing but
 * Node itself, so that it also runs where only Docker is (docs/compose.md).
 */

/** Random secrets, under the names that docker-compose.yml reads. */
export function composeSecrets(): Record<string, string> {
  const { postgres, minio, jwt, operatorToken, operatorSessionKey, codeSealingKey, provider } =
    generateSecrets()
  const hash = createHash('sha256').update(operatorToken).digest('hex')
  return {
    POSTGRES_PASSWORD: postgres.postgres,
    ...Object.fromEntries(
      databases.map((name) => [`${name.toUpperCase()}_DB_PASSWORD`, postgres[name]]),
    ),
    TEMPORAL_DB_PASSWORD: randomBytes(24).toString('base64url'),
    // For deploy/cluster/ only.
    REPLICATOR_PASSWORD: randomBytes(24).toString('base64url'),
    MINIO_ACCESS_KEY: minio.accessKey,
    MINIO_SECRET_KEY: minio.secretKey,
    JWT_VERIFY_KEYS: JSON.stringify({ [jwt.kid]: jwt.publicKey }),
    JWT_SIGNING_KEY: JSON.stringify({ kid: jwt.kid, pem: jwt.privateKey }),
    CODE_SEALING_KEYS: codeSealingKey,
    STRIPE_API_KEY: provider.key,
    STRIPE_WEBHOOK_SECRETS: provider.webhookSecret,
    OPERATOR_TOKENS: JSON.stringify({ local: hash }),
    OPERATOR_SESSION_KEYS: operatorSessionKey,
    // For the operator of this checkout; no container gets it.
    OPERATOR_TOKEN: operatorToken,
  }
}

/** A fresh .env: random secrets, and the profile that starts everything. */
export function composeEnv(): string {
  const values = { COMPOSE_PROFILES: 'full', ...composeSecrets() }
  // In single quotes, so that the line ends within the keys stay the \n of their JSON.
  return Object.entries(values)
    .map(([name, value]) => `${name}='${value}'\n`)
    .join('')
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', '.env')
  try {
    await writeFile(file, composeEnv(), { mode: 0o600, flag: 'wx' })
    console.log('wrote .env: secrets of its own for this checkout')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    console.log('.env is there already and stays as it is')
  }
}

import { type Database, databases } from '../../prisma/databases.ts'

/** A Secret, as `kubectl create` takes it. */
export type Secret = {
  apiVersion: 'v1'
  kind: 'Secret'
  metadata: { name: string; namespace: string }
  stringData: Record<string, string>
}

const namespace = 'shop'

/** The Secrets of deploy/kubernetes/overlays/local, from values under the names of `.env`. */
export function localSecrets(values: Record<string, string>): Secret[] {
  const value = (name: string): string => {
    const found = values[name]
    if (!found) throw new Error(`${name} is missing`)
    return found
  }
  const secret = (name: string, stringData: Record<string, string>): Secret => {
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData }
  }
  const password = (name: Database) => value(`${name.toUpperCase()}_DB_PASSWORD`)
  return [
    secret('postgres', {
      postgres: value('POSTGRES_PASSWORD'),
      ...Object.fromEntries(databases.map((name) => [name, password(name)])),
    }),
    ...databases.map((name) =>
      secret(`database-${name}`, {
        url: `postgresql://${name}:${password(name)}@${name}-db:5432/${name}_db`,
      }),
    ),
    secret('tokens', {
      'verify-keys': value('JWT_VERIFY_KEYS'),
      'signing-key': value('JWT_SIGNING_KEY'),
    }),
    secret('operators', {
      tokens: value('OPERATOR_TOKENS'),
      'session-keys': value('OPERATOR_SESSION_KEYS'),
    }),
    // For the operator; no pod gets it.
    secret('operator-token', { token: value('OPERATOR_TOKEN') }),
    secret('code-sealing', { keys: value('CODE_SEALING_KEYS') }),
    secret('payment-provider', {
      'api-key': value('STRIPE_API_KEY'),
      'webhook-secrets': value('STRIPE_WEBHOOK_SECRETS'),
    }),
    secret('objects', {
      'access-key': value('MINIO_ACCESS_KEY'),
      'secret-key': value('MINIO_SECRET_KEY'),
    }),
    secret('smtp', { url: 'smtp://mailhog:1025' }),
  ]
}

import { createHash } from 'node:crypto'
import type { Database } from '../../prisma/databases.ts'
import { namespace } from '../../temporal/setup.ts'
import { databaseUrl, type StackInfo } from './client.ts'
import { baseEnv } from './environment.ts'
import type { Secrets } from './secrets.ts'
import { type Need, needs, type ServiceName } from './services.ts'
import { webRoot } from './web.ts'

type Env = Record<string, string>
/** Settings that the launcher passes on when its own environment has them. */
const tunables: Env = {
  LOG_LEVEL: 'info',
  MAX_IN_FLIGHT: '1024',
  CORS_ORIGINS: '',
  DRAIN_NOTICE_MS: '1000',
  CONSUMER_CONCURRENCY: '64',
  DATABASE_POOL_SIZE: '10',
  MAX_UNFINISHED_SAGAS: '48',
  STEP_TIMEOUT_MS: '10000',
  STEP_ATTEMPTS: '3',
  REPLY_WAIT_MS: '5000',
  MAX_UNFINISHED_PER_CUSTOMER: '2000',
  MAX_UNFINISHED_PURCHASES: '50000',
  MAX_STARTED_PER_CUSTOMER: '32',
  MAX_STARTED_PURCHASES: '192',
  SHOP_CURRENCY: 'VND',
  CATEGORIES_BY: 'anybody',
  NEW_ACCOUNT_ROLES: 'buyer,seller',
  ACCOUNT_DELETION_DELAY_SECONDS: '60',
  DELIVERY_RETENTION_DAYS: '730',
  REQUIRE_VERIFIED_EMAIL: 'false',
  SAGA_OVERDUE_MS: '300000',
  OPERATOR_EMAIL: 'operator@shop.example',
  PUBLIC_URL: 'http://localhost',
  TEMPORAL_METRICS_ADDRESS: '',
  OTEL_EXPORTER_OTLP_ENDPOINT: '',
  OTEL_TRACES_SAMPLER_ARG: '0.1',
}

function tunable(name: string, fallback = tunables[name] ?? ''): Env {
  return { [name]: process.env[name] || fallback }
}

function envOf(need: Need, service: ServiceName, stack: StackInfo): Env {
  const { ports, secrets, urls } = stack
  const { accepted = {} } = secrets
  switch (need) {
    case 'postgres':
      return {
        DATABASE_URL: databaseUrl(stack, service as Database),
        ...tunable('DATABASE_POOL_SIZE'),
      }
    case 'redis':
      return { REDIS_NODES: urls.redisNodes.join(',') }
    case 'kafka':
      return {
        KAFKA_BROKERS: urls.kafkaBrokers.join(','),
        ...tunable('CONSUMER_CONCURRENCY', service === 'orchestrator' ? '100' : undefined),
      }
    case 'temporal':
      return {
        TEMPORAL_ADDRESS: urls.temporal,
        TEMPORAL_NAMESPACE: namespace,
        TEMPORAL_UI_URL: urls.temporalUi,
        ...tunable('MAX_UNFINISHED_SAGAS'),
        ...tunable('STEP_TIMEOUT_MS'),
        ...tunable('STEP_ATTEMPTS'),
        ...tunable('REPLY_WAIT_MS'),
        ...tunable('TEMPORAL_METRICS_ADDRESS'),
      }
    case 'minio':
      return {
        MINIO_URL: urls.minio,
        MINIO_ACCESS_KEY: secrets.minio.accessKey,
        MINIO_SECRET_KEY: secrets.minio.secretKey,
        MEDIA_PUBLIC_URL: urls.cdn,
      }
    case 'maildev':
      return { SMTP_URL: urls.smtp }
    case 'provider':
      return {
        ...providerEnv(stack),
        ...tunable(
          'STRIPE_WEBHOOK_SECRETS',
          listOf(secrets.provider.webhookSecret, accepted.webhookSecret),
        ),
      }
    case 'tokens':
      return {
        JWT_VERIFY_KEYS: JSON.stringify(verifyKeysOf(secrets.jwt, accepted.jwt)),
        JWT_ISSUER: 'saga-orchestration',
        JWT_AUDIENCE: 'shop',
      }
    case 'signing':
      return {
        JWT_SIGNING_KEY: JSON.stringify({
          kid: secrets.jwt.kid,
          pem: secrets.jwt.privateKey,
          hash_key: secrets.jwt.hashKey,
        }),
      }
    case 'grpc-server':
      return {
        GRPC_PORT: String(ports[`${service as Exclude<ServiceName, 'mail'>}Grpc`]),
      }
    case 'grpc-client':
      return { GRPC_ADDRESS: urls.grpc }
    case 'categories':
      return tunable('CATEGORIES_BY')
    case 'accounts':
      return { ...tunable('NEW_ACCOUNT_ROLES'), ...tunable('ACCOUNT_DELETION_DELAY_SECONDS') }
    case 'currency':
      return tunable('SHOP_CURRENCY')
    case 'verification':
      return tunable('REQUIRE_VERIFIED_EMAIL')
    case 'retention':
      return tunable('DELIVERY_RETENTION_DAYS')
    case 'operators':
      return operatorsEnv(stack)
    case 'admission':
      return {
        ...tunable('MAX_UNFINISHED_PER_CUSTOMER'),
        ...tunable('MAX_UNFINISHED_PURCHASES'),
        ...tunable('MAX_STARTED_PER_CUSTOMER'),
        ...tunable('MAX_STARTED_PURCHASES'),
      }
    case 'overdue':
      return tunable('SAGA_OVERDUE_MS')
    case 'code-sealing':
      return { CODE_SEALING_KEYS: listOf(secrets.codeSealingKey, accepted.codeSealingKey) }
    case 'pages':
      return { WEB_ROOT: webRoot, MEDIA_PUBLIC_URL: urls.cdn, ...tunable('PUBLIC_URL') }
    case 'operator-mail':
      return tunable('OPERATOR_EMAIL')
  }
}

/** The current key first, then the one that is accepted beside it. */
export function listOf(current: string, accepted: string | undefined): string {
  return [current, ...(accepted === undefined ? [] : [accepted])].join()
}

function verifyKeysOf(current: Secrets['jwt'], accepted: Secrets['jwt'] | undefined): Env {
  const keys = [current, ...(accepted ? [accepted] : [])]
  return Object.fromEntries(keys.map(({ kid, publicKey }) => [kid, publicKey]))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Where the payment provider is: the simulator, unless the launcher's own environment names another. */
export function providerEnv({ secrets, urls }: Pick<StackInfo, 'secrets' | 'urls'>): Env {
  return {
    ...tunable('STRIPE_API_URL', urls.provider),
    ...tunable('STRIPE_API_KEY', secrets.provider.key),
  }
}

/** Where spans go, and how many traces are kept. */
export function traceEnv({ otlp }: Pick<StackInfo, 'otlp'>): Env {
  if (!otlp) {
    return { ...tunable('OTEL_EXPORTER_OTLP_ENDPOINT'), ...tunable('OTEL_TRACES_SAMPLER_ARG') }
  }
  return { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint, OTEL_TRACES_SAMPLER_ARG: otlp.share }
}

/** Who operates a native stack. */
export function operatorsEnv({ secrets }: Pick<StackInfo, 'secrets'>): Env {
  const { operatorToken, operatorSessionKey, accepted = {} } = secrets
  const tokens = accepted.operatorToken
    ? [operatorToken, accepted.operatorToken].map(sha256)
    : sha256(operatorToken)
  return {
    OPERATOR_TOKENS: JSON.stringify({ local: tokens }),
    OPERATOR_SESSION_KEYS: listOf(operatorSessionKey, accepted.operatorSessionKey),
  }
}

/** The environment of a service in a native stack. */
export function serviceEnv(service: ServiceName, stack: StackInfo): Env {
  const own = needs[service].map((need) => envOf(need, service, stack))
  return Object.assign(
    baseEnv(),
    { HTTP_HOST: '127.0.0.1', HTTP_PORT: String(stack.ports[service]), APP_ENV: 'local' },
    tunable('LOG_LEVEL'),
    tunable('MAX_IN_FLIGHT'),
    tunable('CORS_ORIGINS'),
    tunable('DRAIN_NOTICE_MS'),
    traceEnv(stack),
    ...own,
  )
}

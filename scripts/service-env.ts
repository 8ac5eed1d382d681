import { createHash } from 'node:crypto'
import type { Database } from '../prisma/databases.ts'
import { namespace } from '../temporal/setup.ts'
import { baseEnv } from './environment.ts'
import { databaseUrl, type StackInfo } from './stack-client.ts'

type Env = Record<string, string>
type EngineName = 'postgres' | 'redis' | 'kafka' | 'temporal' | 'minio' | 'maildev'
type Need =
  | EngineName
  | 'signing'
  | 'tokens'
  | 'grpc-server'
  | 'grpc-client'
  | 'currency'
  | 'verification'
  | 'operators'
  | 'overdue'
  | 'operator-mail'

/** What each service needs. It is started as soon as the engines among its needs are there. */
const needs = {
  account: ['postgres', 'redis', 'kafka', 'tokens', 'signing', 'grpc-server', 'operator-mail'],
  product: ['postgres', 'redis', 'kafka', 'tokens', 'grpc-server', 'grpc-client', 'currency'],
  order: ['postgres', 'redis', 'kafka', 'tokens'],
  payment: ['postgres', 'redis', 'kafka', 'tokens'],
  purchase: [
    'postgres',
    'redis',
    'kafka',
    'tokens',
    'grpc-server',
    'grpc-client',
    'currency',
    'verification',
    'operators',
    'overdue',
  ],
  orchestrator: ['kafka', 'temporal', 'grpc-server', 'grpc-client', 'operators', 'overdue'],
  media: ['postgres', 'minio', 'tokens', 'grpc-server', 'grpc-client'],
  mail: ['kafka', 'maildev'],
} as const satisfies Record<string, Need[]>

export type ServiceName = keyof typeof needs
export const serviceNames = Object.keys(needs) as ServiceName[]

const engineNames = new Set<string>(['postgres', 'redis', 'kafka', 'temporal', 'minio', 'maildev'])

export function enginesOf(service: ServiceName): EngineName[] {
  return needs[service].filter((need): need is never => engineNames.has(need))
}

/** Settings that the launcher passes on when its own environment has them. */
const tunables: Env = {
  LOG_LEVEL: 'info',
  MAX_IN_FLIGHT: '1024',
  CONSUMER_CONCURRENCY: '64',
  DATABASE_POOL_SIZE: '10',
  MAX_UNFINISHED_SAGAS: '48',
  STEP_TIMEOUT_MS: '10000',
  STEP_ATTEMPTS: '3',
  REPLY_WAIT_MS: '5000',
  SHOP_CURRENCY: 'VND',
  REQUIRE_VERIFIED_EMAIL: 'false',
  SAGA_OVERDUE_MS: '300000',
  OPERATOR_EMAIL: 'operator@shop.example',
}

function tunable(name: string, fallback = tunables[name] ?? ''): Env {
  return { [name]: process.env[name] || fallback }
}

function envOf(need: Need, service: ServiceName, stack: StackInfo): Env {
  const { ports, secrets, urls } = stack
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
        ...tunable('MAX_UNFINISHED_SAGAS'),
        ...tunable('STEP_TIMEOUT_MS'),
        ...tunable('STEP_ATTEMPTS'),
        ...tunable('REPLY_WAIT_MS'),
      }
    case 'minio':
      return {
        MINIO_URL: urls.minio,
        MINIO_ACCESS_KEY: secrets.minio.accessKey,
        MINIO_SECRET_KEY: secrets.minio.secretKey,
        MEDIA_PUBLIC_URL: urls.minio,
      }
    case 'maildev':
      return { SMTP_URL: urls.smtp }
    case 'tokens':
      return {
        JWT_VERIFY_KEYS: JSON.stringify({ [secrets.jwt.kid]: secrets.jwt.publicKey }),
        JWT_ISSUER: 'saga-orchestration',
        JWT_AUDIENCE: 'shop',
      }
    case 'signing':
      return {
        JWT_SIGNING_KEY: JSON.stringify({ kid: secrets.jwt.kid, pem: secrets.jwt.privateKey }),
      }
    case 'grpc-server':
      return {
        GRPC_PORT: String(
          ports[`${service as 'account' | 'product' | 'purchase' | 'orchestrator' | 'media'}Grpc`],
        ),
      }
    case 'grpc-client':
      return { GRPC_ADDRESS: urls.grpc }
    case 'currency':
      return tunable('SHOP_CURRENCY')
    case 'verification':
      return tunable('REQUIRE_VERIFIED_EMAIL')
    case 'operators':
      return { OPERATOR_TOKENS: JSON.stringify({ local: sha256(secrets.operatorToken) }) }
    case 'overdue':
      return tunable('SAGA_OVERDUE_MS')
    case 'operator-mail':
      return tunable('OPERATOR_EMAIL')
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The environment of a service in a native stack. */
export function serviceEnv(service: ServiceName, stack: StackInfo): Env {
  const own = needs[service].map((need) => envOf(need, service, stack))
  return Object.assign(
    baseEnv(),
    { HTTP_HOST: '127.0.0.1', HTTP_PORT: String(stack.ports[service]), APP_ENV: 'local' },
    tunable('LOG_LEVEL'),
    tunable('MAX_IN_FLIGHT'),
    ...own,
  )
}
